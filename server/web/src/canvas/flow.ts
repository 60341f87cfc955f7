/** The graph as boxes and wires of the canvas. */

import type { Edge, Node } from "@xyflow/react";
import type { Graph, Ref } from "../core/graph";
import type { Catalogue } from "../store";
import { refsIn } from "../core/wires";
import { baseOf, colourOf, rowsOf } from "./types";
import { typeOfRef } from "./typing";

export const WIDTH = 184;
export const ROW = 24;
export const HEAD = 40;
const FOOT = 16;
export const PREVIEW = 96;
export const PICTURE = 168;

export interface BoxData extends Record<string, unknown> {
  kind: "node" | "input" | "output";
  name: string;
}
export type Box = Node<BoxData>;

/** Ids of boxes: an output may have the name of a node. */
export const outputId = (name: string): string => `output ${name}`;
export const nameOf = (id: string): string => id.replace(/^output /, "");

/** The names of a node's outputs; of one that the catalogue does not know, those that are used. */
export function outputsOf(graph: Graph, catalogue: Catalogue, name: string): { name: string; type: string }[] {
  const node = graph.nodes.get(name);
  const known = node && catalogue.nodes.get(node.type)?.outputs;
  if (known) return known.map(({ name, type }) => ({ name, type }));
  const used = new Set<string>();
  for (const ref of allRefs(graph)) if (ref.name === name) used.add(ref.port ?? "output");
  return [...(used.size ? used : ["output"])].map((port) => ({ name: port, type: "" }));
}

function allRefs(graph: Graph): { name: string; port: string | null }[] {
  const inner = [...graph.nodes.values()].flatMap((node) =>
    [...node.ports.values(), ...node.each.map((axis) => axis.values)].flatMap(refsIn),
  );
  return [...inner, ...graph.outputs.values()];
}

/** Whether a node shows a picture while it runs. */
export function hasPreview(graph: Graph, catalogue: Catalogue, name: string): boolean {
  return catalogue.nodes.get(graph.nodes.get(name)?.type ?? "")?.generator ?? false;
}

export function isPictureOutput(graph: Graph, catalogue: Catalogue, source: Ref): boolean {
  const type = typeOfRef(graph, catalogue, source.name, source.port);
  return type === "" || ["Image", "X", "Film", "Figure", "Mask"].includes(baseOf(type));
}

export interface Size {
  width: number;
  height: number;
}

/** How large the boxes are, as the layout needs it before they are drawn. */
export function sizesOf(graph: Graph, catalogue: Catalogue): Map<string, Size> {
  const found = new Map<string, Size>();
  for (const name of graph.inputs.keys()) found.set(name, { width: 136, height: 32 });
  for (const [name, node] of graph.nodes) {
    const rows = rowsOf(graph, name, catalogue.nodes.get(node.type)).length + outputsOf(graph, catalogue, name).length;
    const preview = hasPreview(graph, catalogue, name) ? PREVIEW + 8 : 0;
    found.set(name, { width: WIDTH, height: HEAD + FOOT + rows * ROW + preview });
  }
  for (const [name, source] of graph.outputs) {
    found.set(outputId(name), { width: WIDTH, height: isPictureOutput(graph, catalogue, source) ? PICTURE + 48 : 56 });
  }
  return found;
}

/** The source handle of a reference: the name of an output, empty for an input of the graph. */
export function handleOf(graph: Graph, catalogue: Catalogue, name: string, port: string | null): string {
  if (graph.inputs.has(name)) return "";
  return port ?? outputsOf(graph, catalogue, name)[0]?.name ?? "output";
}

export interface Wire extends Record<string, unknown> {
  source: { name: string; port: string | null };
  port: string;
}

/** One wire for each reference. */
export function wiresOf(graph: Graph, catalogue: Catalogue): Edge<Wire>[] {
  const wires: Edge<Wire>[] = [];
  const add = (ref: { name: string; port: string | null }, target: string, port: string, targetName: string) => {
    if (!graph.inputs.has(ref.name) && !graph.nodes.has(ref.name)) return;
    const id = `${ref.name}.${ref.port ?? ""} to ${target}.${port}`;
    if (wires.some((wire) => wire.id === id)) return;
    wires.push({
      id,
      source: ref.name,
      sourceHandle: handleOf(graph, catalogue, ref.name, ref.port),
      target,
      targetHandle: port,
      style: {
        stroke: colourOf(
          catalogue,
          typeOfRef(graph, catalogue, ref.name, ref.port) || typeOfPort(graph, catalogue, target, port),
        ),
      },
      ariaLabel: `wire from ${ref.name}${ref.port ? `.${ref.port}` : ""} to ${port} of ${targetName}`,
      data: { source: { name: ref.name, port: ref.port }, port },
      focusable: false,
    });
  };
  for (const [name, node] of graph.nodes) {
    for (const [port, value] of node.ports) for (const ref of refsIn(value)) add(ref, name, port, name);
    for (const axis of node.each)
      for (const ref of refsIn(axis.values)) for (const port of axis.names) add(ref, name, port, name);
  }
  for (const [name, ref] of graph.outputs) add(ref, outputId(name), "value", `output ${name}`);
  return wires;
}

export function typeOfPort(graph: Graph, catalogue: Catalogue, node: string, port: string): string {
  const spec = catalogue.nodes.get(graph.nodes.get(node)?.type ?? "");
  return spec?.inputs.find((one) => one.name === port)?.type ?? "";
}

/** Boxes at their places. */
export function boxesOf(graph: Graph, places: ReadonlyMap<string, readonly [number, number]>): Box[] {
  const at = (id: string) => {
    const [x, y] = places.get(id) ?? [0, 0];
    return { x, y };
  };
  const inputs = [...graph.inputs.keys()].map((name): Box => ({
    id: name,
    type: "input_",
    position: at(name),
    data: { kind: "input", name },
    ariaLabel: `input ${name}`,
  }));
  const nodes = [...graph.nodes.values()].map(({ name, type }): Box => ({
    id: name,
    type: "node",
    position: at(name),
    data: { kind: "node", name },
    ariaLabel: `node ${name}, ${words(type)}`,
  }));
  const outputs = [...graph.outputs.keys()].map((name): Box => ({
    id: outputId(name),
    type: "output_",
    position: at(outputId(name)),
    data: { kind: "output", name },
    ariaLabel: `output ${name}`,
  }));
  return [...inputs, ...nodes, ...outputs];
}

/** A type as words: `noise_scheduler` is `noise scheduler`. */
export function words(type: string): string {
  return type
    .replace(/^\.\//, "")
    .replace(/\.yaml$/, "")
    .replaceAll("_", " ");
}
