/** What a tree says, without its form; and trees that say something else at one place. */

import type { Entry, Fault, Leaf, Parsed, Table, Tree } from "./tree";
import { entryOf } from "./written";

export type Path = readonly string[];
type Said = string | Said[] | Map<string, Said>;

/** Whether two trees say the same; an empty section of a graph is none. */
export function sameGraph(one: Tree | null, other: Tree | null): boolean {
  return one !== null && other !== null && same(sections(one), sections(other));
}

/** Whether a value says nothing. */
export function isNothing(tree: Tree): boolean {
  return tree.kind === "leaf" && tree.value === null;
}

/** Whether two values say the same. */
export function sameValue(one: Tree, other: Tree): boolean {
  return same(said(one), said(other));
}

function said(tree: Tree): Said {
  if (tree.kind === "leaf") return `${tree.sort}:${String(tree.value)}`;
  if (tree.kind === "items") return tree.values.map(said);
  return new Map(tree.entries.map((entry) => [entry.key, said(entry.value)]));
}

function sections(tree: Tree): Said {
  const all = said(tree);
  if (!(all instanceof Map)) return all;
  return new Map([...all].filter(([, part]) => part !== "nothing:null" && !(part instanceof Map && !part.size)));
}

function same(one: Said, other: Said): boolean {
  if (one instanceof Map && other instanceof Map) {
    return one.size === other.size && [...one].every(([key, value]) => has(other, key, value));
  }
  if (Array.isArray(one) && Array.isArray(other)) {
    return one.length === other.length && one.every((item, i) => same(item, other[i] ?? ""));
  }
  return one === other;
}

function has(map: Map<string, Said>, key: string, value: Said): boolean {
  const found = map.get(key);
  return found !== undefined && same(value, found);
}

/** Whether nothing is wrong with a text that was not wrong with another. */
export function noWorse(after: Parsed, before: Parsed): boolean {
  const known = before.faults.map(complaint);
  return after.faults.every((fault) => {
    const at = known.indexOf(complaint(fault));
    if (at >= 0) known.splice(at, 1);
    return at >= 0;
  });
}

function complaint(fault: Fault): string {
  return `${fault.code} ${fault.message}`;
}

/** The tree where a value stands at a path; mappings on the way are made. */
export function withValue(tree: Tree, path: Path, value: Tree): Tree {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  const table = asTable(tree);
  const old = table.entries.find((entry) => entry.key === key);
  const made = withValue(old?.value ?? { ...table, entries: [] }, rest, value);
  const entries = old
    ? table.entries.map((e) => (e === old ? { ...e, value: made } : e))
    : [...table.entries, entryOf(key, made)];
  return { ...table, entries };
}

function asTable(tree: Tree): Table {
  if (tree.kind === "table") return tree;
  return { kind: "table", entries: [], flow: true, from: 0, to: 0, marked: false };
}

/** The tree with another entry at a path, or with none there. */
export function withEntry(tree: Tree, path: Path, change: (entry: Entry) => Entry | null): Tree {
  const [key, ...rest] = path;
  if (tree.kind !== "table") return tree;
  const changed = (entry: Entry): Entry | null =>
    rest.length ? { ...entry, value: withEntry(entry.value, rest, change) } : change(entry);
  const entries = tree.entries.map((entry) => (entry.key === key ? changed(entry) : entry));
  return { ...tree, entries: entries.filter((entry) => entry !== null) };
}

/** The value in which every scalar, in lists too, is another one. */
export function withLeaves(tree: Tree, change: (leaf: Leaf) => Leaf): Tree {
  if (tree.kind === "leaf") return change(tree);
  return tree.kind === "items" ? { ...tree, values: tree.values.map((v) => withLeaves(v, change)) } : tree;
}

/** The scalars of a value, in lists too. */
export function leaves(tree: Tree): Leaf[] {
  if (tree.kind === "leaf") return [tree];
  return tree.kind === "items" ? tree.values.flatMap(leaves) : [];
}
