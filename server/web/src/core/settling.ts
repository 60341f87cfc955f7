/** Edits that are tried before they are given: the text after them says what it should, and nothing else has changed. */

import { type Document, differing, lineOf, Refused } from "./differing";
import { isNothing, noWorse, type Path, sameGraph, withEntry, withValue } from "./meaning";
import { reprinted } from "./reprinting";
import type { Way, Ways } from "./rewriting";
import { applied, type Change, ordered } from "./text";
import { find, parse, type Tree } from "./tree";
import { treeOf, type Written } from "./written";

export { type Document, lineOf, Refused } from "./differing";
export type Edits = readonly Change[];
/** What a tree is made into. */
export type Making = (tree: Tree) => Tree;

const TRIES = 32;

/** The document of a text. Throws Refused where it is none that can be edited. */
export function opened(text: string): Document {
  const parsed = parse(text);
  const [fault] = parsed.faults;
  if (parsed.tree?.kind === "table") return { text, tree: parsed.tree, parsed };
  if (fault) throw new Refused(`mend the text first, ${lineOf(text, fault)}: ${fault.message}`);
  throw new Refused("the text is no graph: it is a mapping with 'nodes' and 'outputs'");
}

/** The edits after which values stand at paths, and everything else as before. */
export function assigned(document: Document, ...pairs: readonly (readonly [Path, Written])[]): Edits {
  return planted(document, ...pairs.map(([path, value]) => [path, treeOf(value)] as const));
}

/** The same with values that were read, or are made of such. */
export function planted(document: Document, ...pairs: readonly (readonly [Path, Tree])[]): Edits {
  for (const [path] of pairs) refuseNoMapping(document, path);
  return settled(document, ...pairs.map(([path, value]): Making => (tree) => withValue(tree, path, value)));
}

/** Throws Refused where a value on the way is no mapping. */
function refuseNoMapping({ text, tree }: Document, path: Path): void {
  for (const at of path.keys()) {
    const owner = find(tree, path.slice(0, at));
    if (owner && owner.value.kind !== "table" && !isNothing(owner.value) && !owner.value.marked)
      throw new Refused(`${lineOf(text, owner)}: '${owner.key}' is no mapping; make it one first`);
  }
}

/** The edits that take the entry at a path away; `what` it is called where it is not there. */
export function gone(document: Document, path: Path, what: string): Edits {
  if (!find(document.tree, path)) throw new Refused(`there is no ${what} '${path.at(-1)}'`);
  return settled(document, without(path));
}

/** Without the entry at a path. */
export const without =
  (path: Path): Making =>
  (tree) =>
    withEntry(tree, path, () => null);

/** The first way after which the text says what is made of it, and nothing else is wrong with it. */
export function settled(document: Document, ...makings: readonly Making[]): Edits {
  const wanted = makings.reduce((tree: Tree, made) => made(tree), document.tree);
  for (const way of combined(differing(document, wanted))) {
    const right = tried(document, wanted, way);
    if (right) return right;
  }
  const double = document.parsed.faults.some((fault) => fault.code === "duplicate");
  const last = double ? null : reprinted(document.text, document.tree, wanted);
  const right = last ? tried(document, wanted, last) : null;
  if (right) return right;
  throw new Refused(`the text cannot be changed without changing more than that; ${mend(document)}`);
}

/** The changes in the order of the text, where they make of it what is wanted. */
function tried({ text, parsed }: Document, wanted: Tree, way: Way): Edits | null {
  const changes = ordered(way.filter(({ from, to, insert }) => text.slice(from, to) !== insert));
  if (!changes) return null;
  const after = parse(applied(text, changes));
  return sameGraph(after.tree, wanted) && noWorse(after, parsed) ? changes : null;
}

function mend({ text, parsed }: Document): string {
  const fault = parsed.faults.find(({ code }) => code === "duplicate" || code === "feature");
  return fault ? `mend this first, ${lineOf(text, fault)}: ${fault.message}` : "edit it by hand there";
}

function* combined(parts: readonly Ways[]): Generator<Way> {
  const lists = parts.map((ways) => [...ways]);
  const count = Math.min(
    TRIES,
    lists.reduce((product, list) => product * list.length, 1),
  );
  for (let number = 0; number < count; number += 1) {
    let rest = number;
    yield lists.flatMap((list) => {
      const way = list[rest % list.length] ?? [];
      rest = Math.floor(rest / list.length);
      return way;
    });
  }
}
