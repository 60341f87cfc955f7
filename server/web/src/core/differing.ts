/** What differs between the tree of a text and one that is made of it, each with the ways to write it.
 *
 * What was in the text still knows its place in the tree that is made; what is new stands nowhere. */

import { TOP_KEYS } from "./graph";
import { isNothing } from "./meaning";
import { itemPut, put, renamed, replaced, reworded, taken, type Way, type Ways } from "./rewriting";
import { hasComment, lineNumber } from "./text";
import type { Entry, Items, Parsed, Table, Tree } from "./tree";
import { treeOf } from "./written";

/** An edit that cannot be made, with the reason. */
export class Refused extends Error {}
/** A text that can be edited. */
export interface Document {
  readonly text: string;
  readonly tree: Table;
  readonly parsed: Parsed;
}

const NEEDED = ["nodes", "outputs"];

/** Where something stands, in words. */
export const lineOf = (text: string, { from }: { from: number }): string => `line ${lineNumber(text, from)}`;

const isNew = ({ to }: Tree | Entry): boolean => to === 0;

/** The ways to write each difference. Throws Refused where an anchor, tag or alias stands in the way. */
export function differing(document: Document, wanted: Tree): Ways[] {
  return wanted.kind === "table" ? inTable(document, null, document.tree, wanted) : [];
}

/** In a mapping; `owner` is its entry, null for the whole. */
function inTable(document: Document, owner: Entry | null, old: Table, now: Table): Ways[] {
  const { text, tree } = document;
  if (owner && !old.entries.length && now.entries.length > 1) return [anew(document, owner, now)];
  const stays = new Map(now.entries.filter((entry) => !isNew(entry)).map((entry) => [entry.from, entry]));
  const kept = old.entries.flatMap((was) => {
    const entry = stays.get(was.from);
    return entry ? changed(document, was, entry) : [removal(document, owner, old, was)];
  });
  const added = now.entries.filter(isNew).map(({ key, value }) => {
    return put(text, tree, owner, key, value, owner ? undefined : sectionBefore(tree, key));
  });
  if (kept.length || added.length) refuseMarked(document, [old]);
  return [...kept, ...added];
}

function changed(document: Document, was: Entry, now: Entry): Ways[] {
  const key = was.key === now.key ? [] : [renamed(document.text, was.keyFrom, was.keyTo, now.key)];
  return [...key, ...inEntry(document, was, now.value)];
}

function inEntry(document: Document, was: Entry, now: Tree): Ways[] {
  const [old, { text, tree }] = [was.value, document];
  if (old === now) return [];
  if (old.kind === "table" && now.kind === "table" && !isNew(now)) return inTable(document, was, old, now);
  if (old.kind !== "table" && now.kind === old.kind && !isNew(now)) {
    const found = inValue(document, old, now);
    if (found) return found;
  }
  const [first, ...others] = now.kind === "table" && isNothing(old) ? now.entries : [];
  if (!first || others.length) return [anew(document, was, now)];
  refuseMarked(document, [old]);
  return [put(text, tree, was, first.key, first.value)];
}

/** In a scalar or a list; null where all of it is to be written anew. */
function inValue(document: Document, old: Tree, now: Tree): Ways[] | null {
  if (old === now) return [];
  refuseMarked(document, within(old));
  if (old.kind === "leaf" && now.kind === "leaf") return [reworded(document.text, old, now)];
  return old.kind === "items" && now.kind === "items" ? inItems(document, old, now) : null;
}

/** In a list: items that say something else, more behind them, or one that is taken out. */
function inItems(document: Document, old: Items, now: Items): Ways[] | null {
  const { text } = document;
  const kept = now.values.filter((value) => !isNew(value));
  if (kept.length === old.values.length) {
    const parts = kept.map((value, i) => inValue(document, old.values[i]!, value));
    const added = now.values.slice(kept.length).map((value) => itemPut(text, old, value));
    return parts.includes(null) ? null : [...parts.flatMap((part) => part ?? []), ...added];
  }
  const at = old.values.findIndex((value, i) => value !== now.values[i]);
  const others = old.values.toSpliced(at, 1);
  const one = others.length === now.values.length && others.every((value, i) => value === now.values[i]);
  return one && (old.flow || others.length) ? [taken(text, old, at)] : null;
}

function anew(document: Document, was: Entry, now: Tree): Ways {
  refuseMarked(document, within(was.value));
  return replaced(document.text, was, now);
}

/** Ways to take an entry away; with its section, or leaving `{}`, where it is the only one there. */
function* removal({ text, tree }: Document, section: Entry | null, table: Table, entry: Entry): Generator<Way> {
  refuseMarked({ text }, within(entry.value));
  const only = section !== null && table.entries.length === 1;
  const at = section ? tree.entries.indexOf(section) : -1;
  if (only && at >= 0 && !NEEDED.includes(section.key) && !isCommented(text, section, entry)) {
    yield* taken(text, tree, at);
  }
  yield* taken(text, table, table.entries.indexOf(entry));
  if (only) yield* replaced(text, section, treeOf(new Map()));
}

function isCommented(text: string, section: Entry, entry: Entry): boolean {
  return hasComment(text, section.keyTo, entry.from) || hasComment(text, entry.to, section.to);
}

/** The section behind which one belongs. */
function sectionBefore(tree: Table, section: string): string | undefined {
  const before: readonly string[] = TOP_KEYS.slice(0, TOP_KEYS.indexOf(section as (typeof TOP_KEYS)[number]));
  return before.findLast((key) => tree.entries.some((entry) => entry.key === key));
}

function refuseMarked({ text }: { text: string }, trees: readonly Tree[]): void {
  const found = trees.find((tree) => tree.marked);
  if (!found) return;
  const why = "an anchor, alias or tag stands here, so that an edit would change other places too";
  throw new Refused(`${lineOf(text, found)}: ${why}; write the value out first`);
}

function within(tree: Tree): Tree[] {
  const inner = tree.kind === "table" ? tree.entries.map((e) => e.value) : tree.kind === "items" ? tree.values : [];
  return [tree, ...inner.flatMap(within)];
}
