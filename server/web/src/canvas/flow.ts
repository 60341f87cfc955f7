/** The graph as boxes and wires of the canvas. */

import type { Edge, Node } from "@xyflow/react";
import { type End, type Graph, type Ref, specOf } from "../core/graph";
import type { Catalogue } from "../store";
import type { Point, Size } from "../core/layout";
import { wiresIn } from "../core/wires";
import { baseOf, colourOf, type Cost, dimensions, rowsOf } from "./types";
import { typeOfRef } from "./typing";

export const WIDTH = 184;
const PILL = 168;
export const ROW = 24;
export const HEAD = 40;
const FOOT = 16;
export const PREVIEW = 120;
export const PICTURE = 168;

export interface BoxData extends Record<string, unknown> {
  kind: "node" | "input" | "output" | "frame";
  name: string;
}
export type Box = Node<BoxData>;

/** Ids of boxes: an output may have the name of a node. */
export const outputId = (name: string): string => `output ${name}`;
export const frameId = (title: string): string => `frame ${title}`;
export const nameOf = (id: string): string => id.replace(/^(output|frame) /, "");
/** Between a frame and what stands in it: at its sides, and above. */
export const PAD = 16;
export const TITLE = 32;
const NOTE = 16;

/** The height of a node's note, of at most three lines. */
export const noteHeight = (note: string): number => (note ? NOTE * Math.min(3, Math.ceil(note.length / 26)) + 4 : 0);

/** How far below its upper edge the rows of a node begin. */
export const rowsTop = (graph: Graph, name: string): number => HEAD + noteHeight(graph.nodes.get(name)?.note ?? "");

/** The box that stands for another: of what is in a closed frame, the frame. */
export type Standing = (id: string) => string;

export function standing(graph: Graph, closed: ReadonlySet<string>): Standing {
  const found = new Map<string, string>();
  for (const [title, names] of graph.frames)
    if (closed.has(frameId(title))) for (const name of names) if (!found.has(name)) found.set(name, frameId(title));
  return (id) => found.get(id) ?? id;
}

/** The names of a node's outputs; of one that the catalogue does not know, those that are used. */
export function outputsOf(graph: Graph, catalogue: Catalogue, name: string): { name: string; type: string }[] {
  const known = specOf(graph, catalogue, name)?.outputs;
  if (known) return known.map(({ name, type }) => ({ name, type }));
  const used = new Set<string>();
  const refs = [...wiresIn(graph).map(({ source }) => source), ...graph.outputs.values()];
  for (const ref of refs) if (ref.name === name) used.add(ref.port ?? "output");
  return [...(used.size ? used : ["output"])].map((port) => ({ name: port, type: "" }));
}

/** The ends at which wires leave a node: its outputs, of which the first needs no name. */
export const endsOf = (graph: Graph, catalogue: Catalogue, name: string): (End & { out: string; type: string })[] =>
  outputsOf(graph, catalogue, name).map(({ name: out, type }, n) => ({ name, port: n ? out : null, out, type }));

/** The shape of what an output gives, as the last check has it; empty where it is not known. */
export function shapeOf(
  graph: Graph,
  catalogue: Catalogue,
  costs: ReadonlyMap<string, Cost>,
  { name, port }: End,
): string {
  const names = port ? outputsOf(graph, catalogue, name).map((one) => one.name) : [];
  return dimensions(costs.get(name)?.outputs[port ? names.indexOf(port) : 0] ?? "");
}

/** The reason why a wire may not be, with the shape of what its source gives. */
export const sized = (reason: string, shape: string): string =>
  shape && reason.includes(" gives ") ? `${reason} of ${shape}` : reason;

/** Whether a node shows a picture while it runs: it works in steps, or may be a graph of such that gives pictures. */
export function hasPreview(graph: Graph, catalogue: Catalogue, name: string): boolean {
  const spec = specOf(graph, catalogue, name);
  return Boolean(spec?.generator || (spec?.composite && spec.outputs.some(({ type }) => baseOf(type) === "Image")));
}

export function isPictureOutput(graph: Graph, catalogue: Catalogue, source: Ref): boolean {
  const type = typeOfRef(graph, catalogue, source.name, source.port);
  return type === "" || ["Image", "X", "Film", "Figure", "Mask"].includes(baseOf(type));
}

/** How large the boxes are, as the layout needs it before they are drawn. */
export function sizesOf(graph: Graph, catalogue: Catalogue, closed: ReadonlySet<string>): Map<string, Size> {
  const found = new Map<string, Size>();
  for (const name of graph.inputs.keys()) found.set(name, { width: PILL, height: 32 });
  for (const name of graph.nodes.keys()) {
    const rows = rowsOf(graph, name, specOf(graph, catalogue, name)).length + outputsOf(graph, catalogue, name).length;
    const preview = hasPreview(graph, catalogue, name) ? PREVIEW + 8 : 0;
    const height = closed.has(name) ? HEAD : rowsTop(graph, name) + FOOT + rows * ROW + preview;
    found.set(name, { width: WIDTH, height });
  }
  for (const [name, source] of graph.outputs) {
    found.set(outputId(name), { width: WIDTH, height: isPictureOutput(graph, catalogue, source) ? PICTURE + 48 : 56 });
  }
  const stands = standing(graph, closed);
  for (const name of [...found.keys()].filter((one) => stands(one) !== one)) {
    found.delete(name);
    found.set(stands(name), { width: WIDTH, height: HEAD });
  }
  return found;
}

/** The source handle of a reference: the name of an output, empty for an input of the graph. */
export function handleOf(graph: Graph, catalogue: Catalogue, name: string, port: string | null): string {
  if (graph.inputs.has(name)) return "";
  return port ?? outputsOf(graph, catalogue, name)[0]?.name ?? "output";
}

/** A wire as the canvas has it: `target` is the id of a box. */
export interface Between {
  readonly source: End;
  readonly target: string;
  readonly port: string;
}
export interface Wire extends Between, Record<string, unknown> {
  /** The points that it passes where both its boxes stand as they were laid out. */
  route: readonly Point[];
}

/** One wire for each reference; none within a closed frame. */
export function wiresOf(graph: Graph, catalogue: Catalogue, stands: Standing): Edge<Wire>[] {
  const wires: Edge<Wire>[] = [];
  const known = new Set<string>();
  const add = (ref: End, target: string, port: string, targetName: string) => {
    if (!graph.inputs.has(ref.name) && !graph.nodes.has(ref.name)) return;
    const id = `${ref.name}.${ref.port ?? ""} to ${target}.${port}`;
    const [from, to] = [stands(ref.name), stands(target)];
    if (known.has(id) || (from === to && from !== ref.name)) return;
    known.add(id);
    wires.push({
      id,
      source: from,
      sourceHandle: from === ref.name ? handleOf(graph, catalogue, ref.name, ref.port) : "out",
      target: to,
      targetHandle: to === target ? port : "in",
      style: {
        stroke: inked(
          colourOf(
            catalogue,
            typeOfRef(graph, catalogue, ref.name, ref.port) || typeOfPort(graph, catalogue, target, port),
          ),
        ),
      },
      ariaLabel: `wire from ${ref.name}${ref.port ? `.${ref.port}` : ""} to ${port} of ${targetName}`,
      type: "line",
      data: { source: { name: ref.name, port: ref.port }, target, port, route: [] },
      focusable: false,
    });
  };
  for (const { source, node, port } of wiresIn(graph)) add(source, node, port, node);
  for (const [name, ref] of graph.outputs) add(ref, outputId(name), "value", `output ${name}`);
  return wires;
}

/** A colour that is seen on light and dark ground. */
const inked = (colour: string): string => `color-mix(in oklab, ${colour} 80%, var(--ink))`;

export function typeOfPort(graph: Graph, catalogue: Catalogue, node: string, port: string): string {
  const spec = specOf(graph, catalogue, node);
  return spec?.inputs.find((one) => one.name === port)?.type ?? "";
}

/** Boxes at their places; closed frames stand for what is in them. */
export function boxesOf(
  graph: Graph,
  places: ReadonlyMap<string, readonly [number, number]>,
  closed: ReadonlySet<string>,
): Box[] {
  const stands = standing(graph, closed);
  const box = (kind: BoxData["kind"], id: string, type: string, ariaLabel: string): Box => {
    const [x, y] = places.get(id) ?? [0, 0];
    return { id, type, position: { x, y }, data: { kind, name: nameOf(id) }, ariaLabel };
  };
  return [
    ...[...graph.inputs.keys()].map((name) => box("input", name, "input_", `input ${name}`)),
    ...[...graph.nodes.values()].map(({ name, type }) => box("node", name, "node", `node ${name}, ${words(type)}`)),
    ...[...graph.outputs.keys()].map((name) => box("output", outputId(name), "output_", `output ${name}`)),
    ...[...graph.frames.keys()]
      .filter((title) => closed.has(frameId(title)))
      .map((title) => box("frame", frameId(title), "closed", `closed frame ${title}`)),
  ].filter(({ id }) => stands(id) === id);
}

/** Open frames around their boxes, wherever those stand. */
export function framesOf(graph: Graph, boxes: readonly Box[], sizes: ReadonlyMap<string, Size>): Box[] {
  const by = new Map(boxes.map((box) => [box.id, box]));
  return [...graph.frames].flatMap(([title, names]): Box[] => {
    const members = names.flatMap((name) => by.get(name) ?? []);
    if (!members.length || by.has(frameId(title))) return [];
    const [left, top] = [Math.min(...members.map((b) => b.position.x)), Math.min(...members.map((b) => b.position.y))];
    const of = (box: Box): Size => sizes.get(box.id) ?? { width: WIDTH, height: HEAD };
    const right = Math.max(...members.map((b) => b.position.x + of(b).width));
    const bottom = Math.max(...members.map((b) => b.position.y + (b.measured?.height ?? of(b).height)));
    const size = { width: right - left + 2 * PAD, height: bottom - top + TITLE + PAD };
    return [
      {
        id: frameId(title),
        type: "frame",
        position: { x: left - PAD, y: top - TITLE },
        data: { kind: "frame", name: title },
        ...size,
        measured: size,
        zIndex: -1,
        dragHandle: ".title",
        ariaLabel: `frame ${title}`,
      },
    ];
  });
}

/** A type as words: `noise_scheduler` is `noise scheduler`. */
export function words(type: string): string {
  return type
    .replace(/^\.\//, "")
    .replace(/\.yaml$/, "")
    .replaceAll("_", " ");
}
