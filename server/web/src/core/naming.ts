/** A name changed wherever it stands. */

import { isName, namesOf, NODE_KEYS } from "./graph";
import { leaves, type Path, withEntry, withLeaves } from "./meaning";
import { type Document, type Edits, lineOf, type Making, Refused, settled } from "./settling";
import { type Entry, find, type Leaf, type Tree } from "./tree";

/** The edits that give a node or an input another name, wherever it is named. */
export function renamed(document: Document, section: "nodes" | "inputs", name: string, to: string): Edits {
  if (name === to) return [];
  refuseTaken(document, to);
  return settled(
    document,
    ...reworded(document, referring(document), (leaf) => refWith(leaf, name, to)),
    ...reworded(document, frames(document), (leaf) => (leaf.value === name ? { ...leaf, value: to } : leaf)),
    // Last: the paths of the others begin with the old names.
    ...keys(document, section, name).map((path) => keyed(path, keyWith(path.at(-1)!, name, to))),
  );
}

/** An entry under another key. */
export const keyed =
  (path: Path, key: string): Making =>
  (tree) =>
    withEntry(tree, path, (old) => ({ ...old, key }));

/** Scalars at paths, in lists too, that say something else. */
export function reworded({ tree }: Document, paths: readonly Path[], change: (leaf: Leaf) => Leaf): Making[] {
  const found = paths.filter((path) => leaves(find(tree, path)!.value).some((leaf) => change(leaf) !== leaf));
  return found.map(
    (path) => (all) => withEntry(all, path, (entry) => ({ ...entry, value: withLeaves(entry.value, change) })),
  );
}

function entriesAt(tree: Tree, path: Path): readonly Entry[] {
  const found = path.length ? find(tree, path)?.value : tree;
  return found?.kind === "table" ? found.entries : [];
}

/** The paths of the entries of a section. */
export function entriesOf({ tree }: Document, ...path: Path): Path[] {
  return entriesAt(tree, path).map((entry) => [...path, entry.key]);
}

/** Where a name is a key, or in one. */
function keys(document: Document, section: string, name: string): Path[] {
  const presets = entriesOf(document, "presets").map((path) => [...path, name]);
  const swept = entriesOf(document, "sweeps").flatMap((path) => entriesOf(document, ...path, "each"));
  const named = swept.filter((path) => namesOf(path.at(-1)!).includes(name));
  return [[section, name], ["layout", name], ...(section === "inputs" ? [...presets, ...named] : [])];
}

/** A key in which a name is another one: of an axis it may be one of several. */
function keyWith(key: string, name: string, to: string): string {
  const names = namesOf(key);
  return names.map((n) => (n === name ? to : n)).join("+");
}

/** The paths of the values that may refer to something. */
function referring(document: Document): Path[] {
  const ports = entriesOf(document, "nodes").flatMap((node) => [
    ...entriesOf(document, ...node).filter(([, , key]) => key === "type" || !NODE_KEYS.includes(key!)),
    ...entriesOf(document, ...node, "each"),
  ]);
  return [...ports, ...entriesOf(document, "outputs")];
}

function refWith(leaf: Leaf, name: string, to: string): Leaf {
  const { value } = leaf;
  if (typeof value !== "string" || value.split(".")[0] !== `$${name}`) return leaf;
  return { ...leaf, value: `$${to}${value.slice(name.length + 1)}` };
}

/** The frames that are lists of members. */
export function frames(document: Document): Path[] {
  return entriesOf(document, "frames").filter((path) => find(document.tree, path)?.value.kind === "items");
}

/** A node out of the frames in which it is. */
export function unframed(document: Document, name: string): Making[] {
  const isIt = (value: Tree) => value.kind === "leaf" && value.value === name;
  const without = (list: Tree): Tree =>
    list.kind === "items" && list.values.some(isIt) ? { ...list, values: list.values.filter((v) => !isIt(v)) } : list;
  return frames(document).map(
    (path) => (tree) => withEntry(tree, path, (entry) => ({ ...entry, value: without(entry.value) })),
  );
}

/** Throws Refused for what is no name, or the name of a node or an input already. */
export function refuseTaken({ text, tree }: Document, name: string): void {
  refuseNoName(name);
  for (const [section, what] of [
    ["nodes", "a node"],
    ["inputs", "an input"],
  ] as const) {
    const entry = find(tree, [section, name]);
    if (entry) throw new Refused(`'${name}' is ${what} already, in ${lineOf(text, entry)}; choose another name`);
  }
}

/** Throws Refused for what is no name. */
export function refuseNoName(name: string): void {
  if (!isName(name)) throw new Refused(`'${name}' is not a name; use letters, digits and '_', not first a digit`);
}

/** Throws Refused where no section holds a name. */
export function refuseUnknown({ tree }: Document, sections: readonly string[], name: string, what: string): void {
  if (!sections.some((section) => find(tree, [section, name]))) throw new Refused(`there is no ${what} '${name}'`);
}
