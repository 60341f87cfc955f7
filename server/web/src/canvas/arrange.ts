/** Where the boxes stand and the wires pass: as the text says, else beside what they are wired to. */

import type { Edge } from "@xyflow/react";
import { type Graph, specOf } from "../core/graph";
import { framed } from "../core/framed";
import type { Arrangement, Link } from "../core/layout";
import { completed } from "../core/places";
import { same } from "../core/sharing";
import type { Catalogue } from "../store";
import { frameId, HEAD, outputId, outputsOf, ROW, rowsTop, sizesOf, type Wire } from "./flow";
import { rowsOf } from "./types";

/** The last layout, and what it was made of: most edits leave it as it is. */
let last: { asked: unknown; found: Arrangement } | null = null;

/** The place of every box by its id, and the points that each wire would pass if every box stood where the layout puts it. */
export function arranged(
  graph: Graph,
  catalogue: Catalogue,
  wires: readonly Edge<Wire>[],
  closed: ReadonlySet<string>,
): Arrangement {
  const sizes = sizesOf(graph, catalogue, closed);
  const links = wires.map(({ source, target, sourceHandle, targetHandle }): Link => {
    const small = (id: string) => closed.has(id);
    return {
      source,
      target,
      leaves: small(source) ? HEAD / 2 : leaving(graph, catalogue, source, sourceHandle ?? ""),
      enters: small(target) ? HEAD / 2 : entering(graph, catalogue, target, targetHandle ?? ""),
    };
  });
  const ends = [...graph.outputs.keys()].map(outputId);
  const frames = [...graph.frames].filter(([title]) => !closed.has(frameId(title))).map(([, names]) => names);
  const kept = new Map<string, readonly [number, number]>();
  for (const [name, place] of graph.layout)
    kept.set(graph.nodes.has(name) || graph.inputs.has(name) ? name : outputId(name), place);
  const asked = [sizes, links, ends, frames, kept];
  if (last && same(last.asked, asked)) return last.found;
  const { places, routes } = framed(sizes, links, new Set(ends), frames);
  last = { asked, found: { places: completed(kept, places, sizes, links), routes } };
  return last.found;
}

function leaving(graph: Graph, catalogue: Catalogue, source: string, handle: string): number {
  const node = graph.nodes.get(source);
  if (!node) return 16;
  const rows = rowsOf(graph, source, specOf(graph, catalogue, source)).length;
  const outputs = outputsOf(graph, catalogue, source).map((port) => port.name);
  return rowsTop(graph, source) + ROW * (rows + outputs.indexOf(handle) + 0.5);
}

function entering(graph: Graph, catalogue: Catalogue, target: string, handle: string): number {
  const node = graph.nodes.get(target);
  if (!node) return ROW / 2;
  const rows = rowsOf(graph, target, specOf(graph, catalogue, target)).map((row) => row.name);
  return rowsTop(graph, target) + ROW * (rows.indexOf(handle) + 0.5);
}
