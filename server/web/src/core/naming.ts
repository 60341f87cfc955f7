/** A name changed wherever it stands: in the tree that is wanted, and in the text. */

import { isName, namesOf, NODE_KEYS } from "./graph";
import { atPath, leaves, type Path, withEntries, withLeaves } from "./meaning";
import { refRenamed, renamed as keyRenamed, replaced, taken, type Ways } from "./rewriting";
import { type Document, type Edits, refuseMarks, Refused, settled } from "./settling";
import { lineNumber } from "./text";
import { type Entry, find, type Items, type Leaf, type Tree } from "./tree";
import { treeOf } from "./written";

export type Section = "nodes" | "inputs";

/** The edits that give a node or an input another name, wherever it is named. */
export function renamed(document: Document, section: Section, name: string, to: string): Edits {
  if (name === to) return [];
  refuseTaken(document, to);
  const wanted = withName(document.tree, section, name, to);
  return settled(document, wanted, [
    ...keys(document, section, name, to),
    ...references(document, name, to),
    ...members(document, name, to),
  ]);
}

function entriesAt(tree: Tree, path: Path): readonly Entry[] {
  const found = path.length ? find(tree, path)?.value : tree;
  return found?.kind === "table" ? found.entries : [];
}

/** The names that a section holds. */
export function namesIn(document: Document, section: string): string[] {
  return entriesAt(document.tree, [section]).map((entry) => entry.key);
}

function* keys(document: Document, section: Section, name: string, to: string): Generator<Ways> {
  const { text, tree } = document;
  const paths = [
    [section, name],
    ["layout", name],
  ];
  if (section === "inputs") paths.push(...namesIn(document, "presets").map((preset) => ["presets", preset, name]));
  const rows = paths.flatMap((path) => (find(tree, path) ? [[path, to] as const] : []));
  for (const [path, key] of [...rows, ...(section === "inputs" ? sweptKeys(document, name, to) : [])]) {
    const entry = find(tree, path);
    refuseMarks(document, path, false);
    if (entry) yield keyRenamed(text, entry.keyFrom, entry.keyTo, key);
  }
}

function sweptKeys(document: Document, name: string, to: string): (readonly [Path, string])[] {
  return namesIn(document, "sweeps").flatMap((sweep) =>
    entriesAt(document.tree, ["sweeps", sweep, "each"])
      .filter((entry) => namesOf(entry.key).includes(name))
      .map((entry) => [["sweeps", sweep, "each", entry.key], keyWith(entry.key, name, to)] as const),
  );
}

/** The key of an axis where a name in it is another one. */
function keyWith(key: string, name: string, to: string): string {
  const names = namesOf(key);
  return names.includes(name) ? names.map((n) => (n === name ? to : n)).join("+") : key;
}

function* references(document: Document, name: string, to: string): Generator<Ways> {
  for (const path of referring(document)) {
    for (const leaf of leaves(find(document.tree, path)?.value ?? document.tree)) {
      const now = refWith(leaf, name, to);
      if (now === leaf) continue;
      refuseMarks(document, path, true);
      yield refRenamed(document.text, leaf, name, now, to);
    }
  }
}

/** The paths of the values that may refer to something. */
function referring({ tree }: Document): Path[] {
  const ports = entriesAt(tree, ["nodes"]).flatMap((node) =>
    entriesAt(node.value, []).flatMap(({ key, value }) =>
      key === "each"
        ? entriesAt(value, []).map((axis) => ["nodes", node.key, key, axis.key])
        : key === "type" || !NODE_KEYS.includes(key)
          ? [["nodes", node.key, key]]
          : [],
    ),
  );
  return [...ports, ...entriesAt(tree, ["outputs"]).map((entry) => ["outputs", entry.key])];
}

function refWith(leaf: Leaf, name: string, to: string): Leaf {
  const { value } = leaf;
  if (typeof value !== "string" || value.split(".")[0] !== `$${name}`) return leaf;
  return { ...leaf, value: `$${to}${value.slice(name.length + 1)}` };
}

function* members(document: Document, name: string, to: string): Generator<Ways> {
  for (const [path, list] of frames(document)) {
    for (const leaf of leaves(list).filter((found) => found.value === name)) {
      refuseMarks(document, path, true);
      yield keyRenamed(document.text, leaf.from, leaf.to, to);
    }
  }
}

function withName(tree: Tree, section: Section, name: string, to: string): Tree {
  const key = (entry: Entry): Entry => (entry.key === name ? { ...entry, key: to } : entry);
  const axis = (entry: Entry): Entry => ({ ...entry, key: keyWith(entry.key, name, to) });
  const refs = (entry: Entry): Entry => ({
    ...entry,
    value: withLeaves(entry.value, (leaf) => refWith(leaf, name, to)),
  });
  const port = (entry: Entry): Entry => {
    if (entry.key === "each") return { ...entry, value: withEntries(entry.value, refs) };
    return entry.key === "note" ? entry : refs(entry);
  };
  const member = (leaf: Leaf): Leaf => (leaf.value === name ? { ...leaf, value: to } : leaf);
  const inEach = (change: (value: Tree) => Tree) => (value: Tree) =>
    withEntries(value, (e) => ({ ...e, value: change(e.value) }));
  const steps: (readonly [string, (value: Tree) => Tree])[] = [
    [section, (value) => withEntries(value, key)],
    ["layout", (value) => withEntries(value, key)],
    ["nodes", inEach((node) => withEntries(node, port))],
    ["outputs", (value) => withEntries(value, refs)],
    ["frames", inEach((list) => (list.kind === "items" ? withLeaves(list, member) : list))],
  ];
  if (section === "inputs") {
    steps.push(["presets", inEach((preset) => withEntries(preset, key))]);
    steps.push(["sweeps", inEach((sweep) => atPath(sweep, ["each"], (each) => withEntries(each, axis)))]);
  }
  return steps.reduce((made, [part, change]) => atPath(made, [part], change), tree);
}

/** The frames, each with its members. */
export function frames({ tree }: Document): (readonly [Path, Items])[] {
  return entriesAt(tree, ["frames"]).flatMap(({ key, value }) =>
    value.kind === "items" ? [[["frames", key], value] as const] : [],
  );
}

/** Ways to take a node out of a frame; null where it is not in it. */
export function left(document: Document, path: Path, list: Items, name: string): Ways | null {
  const found = list.values.filter((value) => value.kind === "leaf" && value.value === name);
  const entry = find(document.tree, path);
  if (!found[0] || !entry) return null;
  refuseMarks(document, path, true);
  if (found.length === 1 && (list.flow || list.values.length > 1))
    return taken(document.text, list, list.values.indexOf(found[0]));
  return replaced(document.text, entry, withoutMember(list, name));
}

/** A list of names without one. */
export function withoutMember(list: Items, name: string): Tree {
  const rest = list.values.filter((value) => !(value.kind === "leaf" && value.value === name));
  return rest.length ? { ...list, values: rest } : treeOf([]);
}

/** Throws Refused for what is no name, or the name of a node or an input already. */
export function refuseTaken({ text, tree }: Document, name: string): void {
  if (!isName(name)) throw new Refused(`'${name}' is not a name; use letters, digits and '_', not first a digit`);
  for (const [section, what] of [
    ["nodes", "a node"],
    ["inputs", "an input"],
  ] as const) {
    const entry = find(tree, [section, name]);
    if (entry)
      throw new Refused(`'${name}' is ${what} already, in line ${lineNumber(text, entry.from)}; choose another name`);
  }
}

/** Throws Refused where a section does not hold a name. */
export function refuseUnknown(document: Document, sections: readonly string[], name: string, what: string): void {
  if (!sections.some((section) => namesIn(document, section).includes(name)))
    throw new Refused(`there is no ${what} '${name}'`);
}
