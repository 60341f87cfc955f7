/** The wires of a graph: which reference leads where, what leads to what, and where they go in a circle. */

import type { Graph, GraphNode, Ref, Value } from "./graph";

/** A reference on an input of a node; `axis`: it stands in `each`, and gives the port one value after another. */
export interface Wire {
  readonly source: Ref;
  readonly node: string;
  readonly port: string;
  readonly axis: boolean;
}

/** The references in a value, in lists too. */
export function refsIn(value: Value): Ref[] {
  if (value.kind === "list") return value.items.flatMap(refsIn);
  return value.kind === "ref" ? [value] : [];
}

/** The wires that lead to a node. */
export function wiresTo(node: GraphNode): Wire[] {
  const ports = [...node.ports].flatMap(([port, value]) =>
    refsIn(value).map((source) => ({ source, node: node.name, port, axis: false })),
  );
  const axes = node.each.flatMap(({ names, values }) =>
    names.flatMap((port) => refsIn(values).map((source) => ({ source, node: node.name, port, axis: true }))),
  );
  return [...ports, ...axes];
}

/** All wires between nodes, and from inputs to nodes. */
export const wiresIn = (graph: Graph): Wire[] => [...graph.nodes.values()].flatMap(wiresTo);

/** What each node refers to, and so waits for. */
export function waits(graph: Graph): Map<string, ReadonlySet<string>> {
  const found = new Map<string, ReadonlySet<string>>();
  for (const [name, node] of graph.nodes) {
    const type = node.type.startsWith("$") ? [node.type.slice(1)] : [];
    found.set(name, new Set([...type, ...wiresTo(node).map((wire) => wire.source.name)]));
  }
  return found;
}

/** The shortest way by which one waits for another, both ends included; null where it does not. */
export function wayFrom(before: ReadonlyMap<string, ReadonlySet<string>>, name: string, to: string): string[] | null {
  const from = new Map<string, string | null>([[name, null]]);
  for (const [at] of from) {
    if (at === to) return chain(from, at);
    for (const next of before.get(at) ?? []) if (!from.has(next)) from.set(next, at);
  }
  return null;
}

function chain(from: ReadonlyMap<string, string | null>, last: string): string[] {
  const found: string[] = [];
  for (let at: string | null = last; at !== null; at = from.get(at) ?? null) found.push(at);
  return found;
}

/** The nodes in an order in which each comes behind all that it waits for; in a circle, as they stand. */
export function inOrder(graph: Graph): GraphNode[] {
  const before = waits(graph);
  const done = new Set<string>();
  const visit = (name: string): void => {
    if (done.has(name) || !graph.nodes.has(name)) return;
    done.add(name);
    for (const other of before.get(name) ?? []) visit(other);
    order.push(name);
  };
  const order: string[] = [];
  for (const name of graph.nodes.keys()) visit(name);
  return order.flatMap((name) => graph.nodes.get(name) ?? []);
}
