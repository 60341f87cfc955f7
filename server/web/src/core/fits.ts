/** What may be wired to what, and why not: by the types of the library, and without a circle. The engine has the last word. */

import { type End, type Graph, type GraphNode, specOf } from "./graph";
import {
  type Bound,
  fits,
  isLoose,
  itemOf,
  listOf,
  parseType,
  resolved,
  tried,
  type TypeRef,
  type Types,
  typeText,
  UNKNOWN,
} from "./types";
import { inOrder, waits, wayFrom, type Wire, wiresTo } from "./wires";
import { refText } from "./written";

/** A port of a node type, as the server's catalogue gives it. */
export interface Port {
  readonly name: string;
  readonly type: string;
  readonly required: boolean;
  readonly fan_in: boolean;
}
/** A node type, as the server's catalogue gives it. */
export interface NodeType {
  readonly name: string;
  readonly category: string;
  readonly doc: string;
  readonly words: readonly string[];
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
}
export interface Library extends Types {
  readonly nodes: ReadonlyMap<string, NodeType>;
}
/** A graph with the types of what its inputs and nodes give. */
export interface Typed {
  readonly graph: Graph;
  readonly library: Library;
  /** By the name of a node or input, then by the port; an input of the graph has the port "". */
  readonly outputs: ReadonlyMap<string, ReadonlyMap<string, TypeRef>>;
  readonly before: ReadonlyMap<string, ReadonlySet<string>>;
}

/** The types of a graph. To be asked often while a wire is drawn, so made once. */
export function typed(graph: Graph, library: Library): Typed {
  const outputs = new Map<string, ReadonlyMap<string, TypeRef>>();
  for (const [name, { type }] of graph.inputs) outputs.set(name, new Map([["", parseType(type, library.ports)]]));
  const found = { graph, library, outputs, before: waits(graph) };
  for (const node of inOrder(graph)) outputs.set(node.name, outputsOf(found, node));
  return found;
}

function outputsOf(all: Typed, node: GraphNode): Map<string, TypeRef> {
  const bound = variables(all, node);
  const rows = specOf(all.graph, all.library, node.name)?.outputs ?? [];
  return new Map(
    rows.map((port) => {
      const type = resolved(parseType(port.type, all.library.ports), bound);
      return [port.name, node.each.length ? listOf(itemOf(type) ?? type) : type];
    }),
  );
}

/** What the type variables of a node are bound to by its wires, but for those on one port. */
function variables(all: Typed, node: GraphNode, but?: string): Bound {
  const bound: Bound = new Map();
  for (const wire of wiresTo(node)) {
    const port = wire.port === but ? undefined : inputOf(all, node, wire.port);
    if (port) placed(sourceOf(all, wire), port, bound, all.library);
  }
  return bound;
}

function inputOf({ graph, library }: Typed, node: GraphNode, port: string): Port | undefined {
  return specOf(graph, library, node.name)?.inputs.find((one) => one.name === port);
}

function sourceOf(all: Typed, { source, axis }: Wire): TypeRef {
  const type = typeOf(all, source);
  return axis ? (itemOf(type) ?? UNKNOWN) : type;
}

/** The type of what a reference gives; unknown for a part of a bundle, and for nodes that the library does not have. */
export function typeOf({ outputs, graph }: Typed, { name, port }: End): TypeRef {
  const found = outputs.get(name);
  if (graph.inputs.has(name)) return (port ? undefined : found?.get("")) ?? UNKNOWN;
  const [first = UNKNOWN] = found?.values() ?? [];
  return port ? (found?.get(port) ?? UNKNOWN) : first;
}

/** Whether a value may stand on a port: as it is, or as one of the several that the port takes. */
function placed(source: TypeRef, port: Port, bound: Bound, library: Library): boolean {
  const target = parseType(port.type, library.ports);
  const item = port.fan_in ? itemOf(target) : null;
  return (item !== null && tried(source, item, bound, library)) || tried(source, target, bound, library);
}

/** The type that a port of a node wants, as far as its other wires say it; unknown for what the library does not have. */
export function wantedBy(all: Typed, name: string, port: string): TypeRef {
  const node = all.graph.nodes.get(name);
  const spec = node && inputOf(all, node, port);
  if (!node || !spec) return UNKNOWN;
  return resolved(parseType(spec.type, all.library.ports), variables(all, node, port), (type) => type);
}

/** Why a wire may not be, in words; empty where it may. */
export function misfit(all: Typed, source: End, name: string, port: string): string {
  const node = all.graph.nodes.get(name);
  if (!node) return `there is no node '${name}'`;
  const way = wayFrom(all.before, source.name, name);
  if (way) return `a circle: ${[...way, name].join(" → ")}`;
  const known = specOf(all.graph, all.library, node.name);
  const spec = inputOf(all, node, port);
  if (known && !spec) return `'${node.type}' has no input '${port}'`;
  return spec ? mismatch(all, source, node, spec) : "";
}

function mismatch(all: Typed, source: End, node: GraphNode, port: Port): string {
  const given = typeOf(all, source);
  const shown = `${refText(source)} gives ${typeText(given)}`;
  const swept = node.each.some((axis) => axis.names.includes(port.name));
  const type = swept && !isLoose(given) ? itemOf(given) : given;
  if (!type) return `'${port.name}' takes its values in turn: it wants a list, and ${shown}`;
  if (placed(type, port, variables(all, node, port.name), all.library)) return "";
  return `'${port.name}' wants ${typeText(wantedBy(all, node.name, port.name))}, and ${shown}`;
}

/** How well a type fits on a port: 3 as it is, 2 widened, 1 because one of them is open, 0 not. */
export function closeness(source: TypeRef, port: Port, library: Library): number {
  const target = parseType(port.type, library.ports);
  const wanted = port.fan_in ? (itemOf(target) ?? target) : target;
  if (!placed(source, port, new Map(), library)) return 0;
  if (isLoose(source) || isLoose(wanted)) return 1;
  return fitsExactly(source, wanted, library) || fitsExactly(source, target, library) ? 3 : 2;
}

function fitsExactly(source: TypeRef, target: TypeRef, { ports }: Library): boolean {
  return fits(source, target, new Map(), { ports, widenings: [] });
}
