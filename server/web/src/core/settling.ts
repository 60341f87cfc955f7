/** Edits that are tried before they are given: the text after them says what it should, and nothing else has changed. */

import { TOP_KEYS } from "./graph";
import { leaves, noWorse, type Path, sameGraph, withEntry, withLeaves, withValue } from "./meaning";
import { put, renamed, replaced, taken, type Way, type Ways } from "./rewriting";
import { reprinted } from "./reprinting";
import { applied, type Change, hasComment, lineNumber, ordered } from "./text";
import { type Entry, find, type Items, type Leaf, parse, type Parsed, type Table, type Tree } from "./tree";
import { treeOf, type Written } from "./written";

export type Edits = readonly Change[];
/** An edit that cannot be made, with the reason. */
export class Refused extends Error {}
/** A text that can be edited. */
export interface Document {
  readonly text: string;
  readonly tree: Table;
  readonly parsed: Parsed;
}
/** A change at one place: what the tree says after it, and ways to write it into the text. */
export interface Part {
  readonly made: (tree: Tree) => Tree;
  readonly ways: Ways;
}

const NEEDED = ["nodes", "outputs"];
const TRIES = 32;

/** The document of a text. Throws Refused where it is none that can be edited. */
export function opened(text: string): Document {
  const parsed = parse(text);
  const [fault] = parsed.faults;
  if (parsed.tree?.kind === "table") return { text, tree: parsed.tree, parsed };
  if (fault) throw new Refused(`mend the text first, line ${lineNumber(text, fault.from)}: ${fault.message}`);
  throw new Refused("the text is no graph: it is a mapping with 'nodes' and 'outputs'");
}

/** The edits after which values stand at paths, and everything else as before. */
export function assigned(document: Document, ...pairs: readonly (readonly [Path, Written])[]): Edits {
  return planted(document, ...pairs.map(([path, value]) => [path, treeOf(value)] as const));
}

/** The same with values that were read. */
export function planted(document: Document, ...pairs: readonly (readonly [Path, Tree])[]): Edits {
  return settled(
    document,
    pairs.map(([path, value]) => planting(document, path, value)),
  );
}

/** A value at a path; mappings on the way are made. */
export function planting(document: Document, path: Path, value: Tree): Part {
  return { made: (tree) => withValue(tree, path, value), ways: assignment(document, path, value) };
}

function assignment(document: Document, path: Path, value: Tree): Ways {
  const { text, tree } = document;
  const found = find(tree, path);
  refuseMarks(document, path, found !== null);
  if (found) return replaced(text, found, value);
  const key = path.at(-1) ?? "";
  if (path.length === 1) return put(text, tree, null, key, value, sectionBefore(tree, key));
  const owner = find(tree, path.slice(0, -1));
  if (!owner) return assignment(document, path.slice(0, -1), withValue(treeOf(new Map()), [key], value));
  if (owner.value.kind !== "table" && !isNothing(owner.value)) {
    throw new Refused(`line ${lineNumber(text, owner.from)}: '${owner.key}' is no mapping; make it one first`);
  }
  return put(text, tree, owner, key, value);
}

function isNothing(tree: Tree): boolean {
  return tree.kind === "leaf" && tree.value === null;
}

/** The section behind which one belongs. */
function sectionBefore(tree: Table, section: string): string | undefined {
  const before = TOP_KEYS.slice(0, TOP_KEYS.indexOf(section as (typeof TOP_KEYS)[number]));
  return before.findLast((key) => find(tree, [key]));
}

/** The edits that take the entry at a path away; `what` it is called where it is not there. */
export function gone(document: Document, path: Path, what: string): Edits {
  if (!find(document.tree, path)) throw new Refused(`there is no ${what} '${path.at(-1)}'`);
  return settled(document, removals(document, [path]));
}

/** The entries at paths taken away, where they are there. */
export function removals(document: Document, paths: readonly Path[]): Part[] {
  const found = paths.filter((path) => find(document.tree, path));
  return found.map((path) => ({
    made: (tree) => withEntry(tree, path, () => null),
    ways: removal(document, path),
  }));
}

/** Ways to take an entry away; with its section, or leaving `{}`, where it is the only one there. */
function* removal(document: Document, path: Path): Generator<Way> {
  const { text, tree } = document;
  refuseMarks(document, path, true);
  const [section, entry] = [find(tree, path.slice(0, -1)), find(tree, path)];
  const table = section ? section.value : tree;
  if (table.kind !== "table" || !entry) return;
  const only = table.entries.length === 1;
  const optional = path.length === 2 && !NEEDED.includes(path[0] ?? "");
  if (section && only && optional && !isCommented(text, section, entry)) {
    yield* taken(text, tree, tree.entries.indexOf(section));
  }
  yield* taken(text, table, table.entries.indexOf(entry));
  if (section && only) yield* replaced(text, section, treeOf(new Map()));
}

function isCommented(text: string, section: Entry, entry: Entry): boolean {
  return hasComment(text, section.keyTo, entry.from) || hasComment(text, entry.to, section.to);
}

/** An entry under another key. */
export function keyed(document: Document, path: Path, key: string): Part[] {
  const entry = find(document.tree, path);
  if (!entry) return [];
  refuseMarks(document, path, false);
  const ways = renamed(document.text, entry.keyFrom, entry.keyTo, key);
  return [{ made: (tree) => withEntry(tree, path, (old) => ({ ...old, key })), ways }];
}

/** An item taken out of the list at a path. */
export function itemGone(document: Document, path: Path, list: Items, at: number): Part {
  refuseMarks(document, path, true);
  const rest = { ...list, values: list.values.toSpliced(at, 1) };
  return { made: (tree) => withValue(tree, path, rest), ways: taken(document.text, list, at) };
}

/** Scalars at a path, in lists too, that say something else; `ways` to write one of them. */
export function reworded(
  document: Document,
  path: Path,
  change: (leaf: Leaf) => Leaf,
  ways: (leaf: Leaf, now: Leaf) => Ways,
): Part[] {
  const value = find(document.tree, path)?.value;
  const found = value ? leaves(value).filter((leaf) => change(leaf) !== leaf) : [];
  if (found.length) refuseMarks(document, path, true);
  const made = (tree: Tree) => withEntry(tree, path, (entry) => ({ ...entry, value: withLeaves(entry.value, change) }));
  return found.map((leaf) => ({ made, ways: ways(leaf, change(leaf)) }));
}

/** The first of the ways of all parts after which the text says what is wanted, and nothing else is wrong with it. */
export function settled(document: Document, parts: readonly Part[]): Edits {
  const wanted = parts.reduce((tree: Tree, { made }) => made(tree), document.tree);
  for (const way of combined(parts.map(({ ways }) => ways))) {
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
  return fault ? `mend this first, line ${lineNumber(text, fault.from)}: ${fault.message}` : "edit it by hand there";
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

/** Throws Refused where a value on the way has an anchor or a tag or is an alias; in it too, if `whole`. */
export function refuseMarks({ text, tree }: Document, path: Path, whole: boolean): void {
  const trees = [tree, ...path.map((_, i) => find(tree, path.slice(0, i + 1))?.value)].slice(
    0,
    path.length + Number(whole),
  );
  const last = trees.at(-1);
  const found = [...trees, ...(whole && last ? within(last) : [])].find((part) => part?.marked);
  if (!found) return;
  const place = `line ${lineNumber(text, found.from)}`;
  throw new Refused(
    `${place}: an anchor, alias or tag stands here, so that an edit would change other places too; write the value out first`,
  );
}

function within(tree: Tree): Tree[] {
  const inner = tree.kind === "table" ? tree.entries.map((e) => e.value) : tree.kind === "items" ? tree.values : [];
  return [tree, ...inner.flatMap(within)];
}
