/** Where the boxes stand: as the text says, else beside what they are wired to. */

import type { Graph } from "../core/graph";
import { arranged as laidOut, type Link, type Places } from "../core/layout";
import { completed } from "../core/places";
import type { Catalogue } from "../store";
import { HEAD, outputId, outputsOf, ROW, sizesOf, wiresOf } from "./flow";
import { rowsOf } from "./types";

/** The place of every box by its id. */
export function arranged(graph: Graph, catalogue: Catalogue): Places {
  const sizes = sizesOf(graph, catalogue);
  const links = wiresOf(graph, catalogue).map((wire): Link => {
    const spec = catalogue.nodes.get(graph.nodes.get(wire.target)?.type ?? "");
    const rows = rowsOf(graph, wire.target, spec).map((row) => row.name);
    const enters = graph.nodes.has(wire.target) ? HEAD + ROW * (rows.indexOf(wire.targetHandle ?? "") + 0.5) : ROW / 2;
    return {
      source: wire.source,
      target: wire.target,
      leaves: leaving(graph, catalogue, wire.source, wire.sourceHandle ?? ""),
      enters,
    };
  });
  const all = laidOut(sizes, links, new Set(), new Set([...graph.outputs.keys()].map(outputId)));
  const kept = new Map<string, readonly [number, number]>();
  for (const [name, place] of graph.layout)
    kept.set(graph.nodes.has(name) || graph.inputs.has(name) ? name : outputId(name), place);
  return completed(kept, all, sizes, links);
}

function leaving(graph: Graph, catalogue: Catalogue, source: string, handle: string): number {
  const node = graph.nodes.get(source);
  if (!node) return 16;
  const rows = rowsOf(graph, source, catalogue.nodes.get(node.type)).length;
  const outputs = outputsOf(graph, catalogue, source).map((port) => port.name);
  return HEAD + ROW * (rows + outputs.indexOf(handle) + 0.5);
}
