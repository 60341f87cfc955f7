/** The types of a graph by the catalogue, read once for each graph. */

import { misfit as coreMisfit, type Typed, typed, typeOf } from "../core/fits";
import { type End, type Graph, specOf } from "../core/graph";
import { typeText } from "../core/types";
import type { Catalogue } from "../store";
import { baseOf } from "./types";

const found = new WeakMap<Graph, Typed>();

export function typedOf(graph: Graph, catalogue: Catalogue): Typed {
  const known = found.get(graph) ?? typed(graph, catalogue);
  found.set(graph, known);
  return known;
}

/** The type of what a reference gives; empty where that is not known. */
export function typeOfRef(graph: Graph, catalogue: Catalogue, name: string, port: string | null): string {
  const text = typeText(typeOf(typedOf(graph, catalogue), { name, port }));
  return text === "?" ? "" : text;
}

/** Whether a wire from a source to a port is one from a part of a bundle, which is still to be said. */
export function wantsPart(graph: Graph, catalogue: Catalogue, source: End, node: string, port: string): boolean {
  if (!isBundle(graph, source)) return false;
  const type =
    specOf(graph, catalogue, node)?.inputs.find((one) => one.name === port)?.type ?? "";
  return takesPart(catalogue, type);
}

export const isBundle = (graph: Graph, { name, port }: End): boolean =>
  !port && graph.inputs.get(name)?.type === "Bundle";

/** Whether a port of a type takes a part of a bundle: a model. */
export const takesPart = (catalogue: Catalogue, type: string): boolean =>
  baseOf(type) !== "Bundle" && catalogue.ports.get(baseOf(type))?.literal === "name";

/** Why a wire may not be, in words; empty where it may. */
export function misfit(graph: Graph, catalogue: Catalogue, source: End, node: string, port: string): string {
  if (wantsPart(graph, catalogue, source, node, port)) return "";
  return coreMisfit(typedOf(graph, catalogue), source, node, port);
}
