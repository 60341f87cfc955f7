/** The last way of an edit: the entries that are to say something else are printed anew, with their comments before them. */

import { sameValue } from "./meaning";
import { isBlock, rowsOf, type Way } from "./rewriting";
import { type Change, indentOf, lineEnd, newline } from "./text";
import type { Entry, Leaf, Table, Tree } from "./tree";
import { flow, keyText } from "./written";

/** The changes after which a graph says what is wanted; null where an entry has no line of its own to be printed on. */
export function reprinted(text: string, old: Table, wanted: Tree): Way | null {
  const sections = wanted.kind === "table" ? wanted.entries : [];
  const pairs = sections.map((now) => [old.entries.find((was) => was.key === now.key), now] as const);
  if (old.entries.some((was) => !sections.some((now) => now.key === was.key))) return null;
  const changes = pairs.flatMap(([was, now]) => (was ? inSection(text, old, was, now) : [null]));
  return changes.includes(null) ? null : changes.filter((change) => change !== null);
}

function inSection(text: string, root: Table, was: Entry, now: Entry): (Change | null)[] {
  if (sameValue(was.value, now.value)) return [];
  const [one, other] = [was.value, now.value];
  if (one.kind !== "table" || other.kind !== "table" || !sameKeys(one, other)) return [anew(text, root, was, now)];
  return one.entries.flatMap((entry, i) => {
    const wanted = other.entries[i] ?? entry;
    return sameValue(entry.value, wanted.value) ? [] : [anew(text, one, entry, wanted)];
  });
}

function sameKeys(one: Table, other: Table): boolean {
  return one.entries.length === other.entries.length && one.entries.every((e, i) => e.key === other.entries[i]?.key);
}

function anew(text: string, owner: Table, was: Entry, now: Entry): Change | null {
  const indent = indentOf(text, was.from);
  const comments = commentsIn(text, was);
  const inline = `${keyText(now.key)}: ${flow(now.value)}`;
  if (indent === null && comments.length) return null;
  const rows =
    indent !== null && isBlock(owner) ? rowsOf(indent, now.key, now.value, 0, !indent) : [(indent ?? "") + inline];
  const lines = [...comments.map((comment) => indent + comment), ...rows].join(newline(text));
  return { from: was.from, to: was.to, insert: lines.slice(indent?.length ?? 0) };
}

/** The comments in an entry: what stands after a `#` where no key and no value is. */
export function commentsIn(text: string, entry: Entry): string[] {
  const spans = [...partsOf(entry), { from: entry.to, to: entry.to }];
  const ends = [entry.from, ...spans.map((span) => span.to)];
  return spans.flatMap((span, i) => [...between(text, ends[i] ?? 0, span.from), ...inHead(text, span)]);
}

function between(text: string, from: number, to: number): string[] {
  return (text.slice(from, to).match(/#[^\r\n]*/g) ?? []).map((comment) => comment.trimEnd());
}

function inHead(text: string, span: { from: number; style?: Leaf["style"] }): string[] {
  return span.style === "block" ? between(text, span.from, lineEnd(text, span.from)) : [];
}

function partsOf({ keyFrom, keyTo, value }: Entry): ({ from: number; to: number } | Leaf)[] {
  return [{ from: keyFrom, to: keyTo }, ...leavesOf(value)];
}

function leavesOf(tree: Tree): ({ from: number; to: number } | Leaf)[] {
  if (tree.kind === "leaf") return [tree];
  return tree.kind === "items" ? tree.values.flatMap(leavesOf) : tree.entries.flatMap(partsOf);
}
