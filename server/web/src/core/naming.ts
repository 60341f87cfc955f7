/** A name changed wherever it stands. */

import { isName, namesOf, NODE_KEYS } from "./graph";
import type { Path } from "./meaning";
import { refRenamed, renamed as nameChanged } from "./rewriting";
import {
  type Document,
  type Edits,
  itemGone,
  keyed,
  type Part,
  planting,
  refuseMarks,
  Refused,
  reworded,
  settled,
} from "./settling";
import { lineNumber } from "./text";
import { type Entry, find, type Items, type Leaf, type Tree } from "./tree";

/** The edits that give a node or an input another name, wherever it is named. */
export function renamed(document: Document, section: "nodes" | "inputs", name: string, to: string): Edits {
  if (name === to) return [];
  refuseTaken(document, to);
  return settled(document, [
    ...references(document, name, to),
    ...members(document, name, to),
    // Last: the paths of the others begin with the old names.
    ...keys(document, section, name).flatMap((path) => keyed(document, path, keyWith(path.at(-1)!, name, to))),
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

/** Where a name is a key, or in one. */
function keys(document: Document, section: string, name: string): Path[] {
  const own = [
    [section, name],
    ["layout", name],
  ];
  return section === "inputs" ? [...own, ...presetKeys(document, name), ...sweptKeys(document, name)] : own;
}

/** Where presets say a value of an input. */
export function presetKeys(document: Document, name: string): Path[] {
  return namesIn(document, "presets").map((preset) => ["presets", preset, name]);
}

function sweptKeys(document: Document, name: string): Path[] {
  return namesIn(document, "sweeps").flatMap((sweep) =>
    entriesAt(document.tree, ["sweeps", sweep, "each"])
      .filter((entry) => namesOf(entry.key).includes(name))
      .map((entry) => ["sweeps", sweep, "each", entry.key]),
  );
}

/** A key in which a name is another one: of an axis it may be one of several. */
function keyWith(key: string, name: string, to: string): string {
  const names = namesOf(key);
  return names.map((n) => (n === name ? to : n)).join("+");
}

function references(document: Document, name: string, to: string): Part[] {
  return referring(document).flatMap((path) =>
    reworded(
      document,
      path,
      (leaf) => refWith(leaf, name, to),
      (leaf, now) => refRenamed(document.text, leaf, name, now, to),
    ),
  );
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

function members(document: Document, name: string, to: string): Part[] {
  return frames(document).flatMap(([path]) =>
    reworded(
      document,
      path,
      (leaf) => (leaf.value === name ? { ...leaf, value: to } : leaf),
      (leaf) => nameChanged(document.text, leaf.from, leaf.to, to),
    ),
  );
}

/** The frames, each with its members. */
export function frames({ tree }: Document): (readonly [Path, Items])[] {
  return entriesAt(tree, ["frames"]).flatMap(({ key, value }) =>
    value.kind === "items" ? [[["frames", key], value] as const] : [],
  );
}

/** A node out of a frame, where it is in it. */
export function left(document: Document, path: Path, list: Items, name: string): Part[] {
  const isOther = (value: Tree) => value.kind !== "leaf" || value.value !== name;
  const rest = list.values.filter(isOther);
  const count = list.values.length - rest.length;
  if (!count) return [];
  refuseMarks(document, path, true);
  if (count > 1 || (!list.flow && !rest.length)) return [planting(document, path, { ...list, values: rest })];
  return [
    itemGone(
      document,
      path,
      list,
      list.values.findIndex((value) => !isOther(value)),
    ),
  ];
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
