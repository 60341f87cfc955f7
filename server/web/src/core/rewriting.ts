/** Ways to replace, put in, take out and rename entries of a text, the best first. Which of them is right is tried out. */

import { hasComment, indentOf, lineBegin, lineEnd, lineNext, newline, signs, type Change } from "./text";
import type { Entry, Items, Leaf, Table, Tree } from "./tree";
import { flow, keyText, quoted, singleQuoted } from "./written";

export type Way = readonly Change[];
export type Ways = Iterable<Way>;
const WIDTH = 100;
const STEP = "  ";

function change(from: number, to: number, insert: string): Change {
  return { from, to, insert };
}

/** Whether nothing is written for a value. */
export function isEmpty(tree: Tree): boolean {
  return tree.kind === "leaf" && tree.from === tree.to;
}

/** Whether a value is written on lines of its own. */
export function isBlock(tree: Tree): boolean {
  return tree.kind === "leaf" ? tree.style === "block" : !tree.flow;
}

/** Ways to give an entry another value. */
export function* replaced(text: string, entry: Entry, value: Tree): Generator<Way> {
  const old = entry.value;
  const inline = flow(value);
  const at = entry.colon ?? entry.keyTo;
  if (isEmpty(old)) yield [change(at, at, entry.colon === null ? `: ${inline}` : ` ${inline}`)];
  else if (old.kind === "leaf") {
    if (value.kind === "leaf" && value.sort === "text") yield* inStyle(text, old, String(value.value));
    yield [change(old.from, old.to, inline)];
  } else if (isBlock(old)) yield* blockReplaced(text, entry, inline);
  else yield [change(old.from, old.to, inline)];
}

function* blockReplaced(text: string, { colon, value }: Entry, inline: string): Generator<Way> {
  const line = lineEnd(text, colon ?? value.from);
  if (line > value.from) yield [change(value.from, value.to, inline)];
  else if (colon !== null) {
    const behind = hasComment(text, colon, line) ? lineEnd(text, value.to) : value.to;
    yield [change(colon, colon, ` ${inline}`), change(line, behind, "")];
  }
}

/** A text written as the one was that stood there. */
function* inStyle(text: string, { from, to, style }: Leaf, value: string): Generator<Way> {
  const single = singleQuoted(value);
  if (style === "double") yield [change(from, to, quoted(value))];
  else if (style === "single" && single) yield [change(from, to, single)];
  else if (text[from] === "|" && value.includes("\n") && !value.includes("\t")) {
    yield [change(from, to, blockText(text, text.slice(from, to), value))];
  }
}

function blockText(text: string, old: string, value: string): string {
  const [head = "", ...rest] = old.split(/\r?\n/);
  const indent = /^ */.exec(rest.find((row) => row.trim()) ?? "")?.[0] ?? "";
  const comment = head.includes(" #") ? head.slice(head.indexOf("#") - 1) : "";
  const rows = value
    .replace(/\n+$/, "")
    .split("\n")
    .map((row) => (row ? indent + row : ""));
  return [`|${value.endsWith("\n") ? "" : "-"}${comment}`, ...rows].join(newline(text));
}

/** Ways to write another name where one stands. */
export function* renamed(text: string, from: number, to: number, name: string): Generator<Way> {
  const raw = text.slice(from, to);
  const single = singleQuoted(name);
  if (raw.startsWith('"')) yield [change(from, to, quoted(name))];
  if (raw.startsWith("'") && single) yield [change(from, to, single)];
  yield [change(from, to, keyText(name))];
}

/** Ways to let a scalar say something else; first in the form in which it is written. */
export function* reworded(text: string, { from, to, value }: Leaf, now: Leaf): Generator<Way> {
  const [before, after, ...more] = text.slice(from, to).split(String(value));
  if (after !== undefined && !more.length) yield [change(from, to, before + String(now.value) + after)];
  yield [change(from, to, flow(now))];
}

/** Ways to add an entry to a mapping, behind the one that `after` names, or the last; `owner` null: to the whole. */
export function* put(
  text: string,
  root: Table,
  owner: Entry | null,
  key: string,
  value: Tree,
  after?: string,
): Generator<Way> {
  const table = owner ? owner.value : root;
  if (table.kind === "table" && table.entries.length) {
    const place = table.entries.find((entry) => entry.key === after) ?? table.entries.at(-1);
    const split = owner === null && value.kind === "table";
    if (place && isBlock(table)) yield* putBlock(text, table, place, rowsIn(text, table, key, value, split));
    else if (place) yield* putFlow(text, table, place, `${keyText(key)}: ${flow(value)}`);
  } else if (owner) yield* putFirst(text, root, owner, key, value);
}

function rowsIn(text: string, table: Table, key: string, value: Tree, split: boolean): string[] {
  const first = table.entries[0]?.from ?? table.from;
  return rowsOf(" ".repeat(first - lineBegin(text, first)), key, value, alignment(text, table), split);
}

/** An entry on one line, or on several if it is a mapping that would be too long, or is to be `split`. */
export function rowsOf(indent: string, key: string, value: Tree, pad = 0, split = false): string[] {
  const line = `${indent}${`${keyText(key)}:`.padEnd(pad)} ${flow(value)}`;
  const inner = value.kind === "table" ? value.entries : [];
  const deep = inner.some((entry) => entry.value.kind === "table");
  if (!inner.length || (line.length <= WIDTH && !deep && !split)) return [line];
  return [`${indent}${keyText(key)}:`, ...inner.flatMap((e) => rowsOf(indent + STEP, e.key, e.value))];
}

/** The width that a table gives to its keys, with their colons; 0 where its values do not stand in one column. */
function alignment(text: string, { entries }: Table): number {
  const between = entries.map((entry) => text.slice(entry.keyFrom, entry.value.from));
  const widths = new Set(
    between.filter((part) => part.endsWith(" ") && !part.includes("\n")).map((part) => part.length - 1),
  );
  const [width = 0] = widths;
  return widths.size === 1 && entries.length > 1 ? width : 0;
}

function* putBlock(text: string, table: Table, place: Entry, rows: readonly string[]): Generator<Way> {
  const first = table.entries[0] ?? place;
  const nl = newline(text);
  if (/[^ ?:-]/.test(text.slice(lineBegin(text, first.from), first.from))) return;
  if (!keepsBlankLines(text, place.value)) {
    const end = lineEnd(text, place.to);
    yield [change(end, end, rows.map((row) => nl + row).join(""))];
  }
  for (const { from } of [place, first]) {
    const begin = lineBegin(text, from);
    if (indentOf(text, from) !== null) yield [change(begin, begin, rows.map((row) => row + nl).join(""))];
  }
}

/** Whether the blank lines after a value are a part of it: `|+`. */
function keepsBlankLines(text: string, tree: Tree): boolean {
  if (tree.kind === "leaf") {
    return isBlock(tree) && (text.slice(tree.from, lineEnd(text, tree.from)).split("#")[0] ?? "").includes("+");
  }
  const last = tree.kind === "items" ? tree.values.at(-1) : tree.entries.at(-1)?.value;
  return isBlock(tree) && last !== undefined && keepsBlankLines(text, last);
}

function* putFlow(
  text: string,
  owner: Table | Items,
  { from, to }: { from: number; to: number },
  item: string,
): Generator<Way> {
  const close = owner.to - 1;
  const comma = commaBehind(text, to, close);
  const indent = indentOf(text, from);
  const line = lineEnd(text, comma ?? to);
  if (indent && line <= close) {
    const row = newline(text) + indent + item + (comma === null ? "" : ",");
    yield [...(comma === null ? [change(to, to, ",")] : []), change(line, line, row)];
  }
  yield [change(to, to, `, ${item}`)];
}

function commaBehind(text: string, from: number, to: number): number | null {
  for (const [at, sign] of signs(text, from, to)) if (sign === ",") return at + 1;
  return null;
}

/** Ways to add an item behind the last of a list. */
export function* itemPut(text: string, owner: Items, value: Tree): Generator<Way> {
  const last = owner.values.at(-1);
  if (!last) yield [change(owner.from, owner.to, `[${flow(value)}]`)];
  else if (owner.flow) yield* putFlow(text, owner, last, flow(value));
  else {
    const dash = text.slice(lineBegin(text, owner.from), owner.from);
    const end = lineEnd(text, owner.to);
    yield [change(end, end, `${newline(text)}${" ".repeat(dash.length)}- ${flow(value)}`)];
  }
}

/** The first entry of a mapping that is empty, or for which nothing is written. */
function* putFirst(text: string, root: Table, owner: Entry, key: string, value: Tree): Generator<Way> {
  const { colon } = owner;
  const { from, to } = owner.value;
  const inline = `{${keyText(key)}: ${flow(value)}}`;
  if (colon === null) {
    yield [change(owner.keyTo, owner.keyTo, `: ${inline}`)];
    return;
  }
  const level = indentOf(text, owner.from);
  if (isBlock(root) && level !== null && !hasComment(text, from, to)) {
    const line = lineEnd(text, Math.max(to, colon));
    const rows = rowsOf(level + step(text, root), key, value).map((row) => newline(text) + row);
    yield [...(to > colon ? [change(colon, to, "")] : []), change(line, line, rows.join(""))];
  }
  yield isEmpty(owner.value) ? [change(colon, colon, ` ${inline}`)] : [change(from, to, inline)];
}

/** How much deeper the entries of a section stand than its key. */
function step(text: string, root: Table): string {
  const level = indentOf(text, root.entries[0]?.from ?? root.from)?.length ?? 0;
  for (const { value } of root.entries) {
    const first = value.kind === "table" && isBlock(value) ? value.entries[0] : undefined;
    const deep = first ? indentOf(text, first.keyFrom) : null;
    if (deep !== null && deep.length > level) return deep.slice(level);
  }
  return STEP;
}

/** Ways to take an entry out of a mapping, or an item out of a list, with the comment at its end. */
export function* taken(text: string, owner: Table | Items, at: number): Generator<Way> {
  const parts = owner.kind === "table" ? owner.entries : owner.values;
  const [before, here, next] = [parts[at - 1], parts[at], parts[at + 1]];
  if (!here) return;
  if (isBlock(owner)) yield* takenLines(text, owner, here, next ?? here);
  else yield* takenFlow(text, owner, before, here, next);
}

interface Span {
  readonly from: number;
  readonly to: number;
}

function* takenFlow(
  text: string,
  owner: Tree,
  before: Span | undefined,
  here: Span,
  next: Span | undefined,
): Generator<Way> {
  const { from, to } = here;
  const close = owner.to - 1;
  const comma = commaBehind(text, to, close) ?? to;
  const rest = signs(text, comma, Math.min(lineEnd(text, comma), close + 1));
  if (indentOf(text, from) !== null && rest.next().done)
    yield [change(lineBegin(text, from), lineNext(text, comma), "")];
  if (next) {
    const gap = text.slice(comma, next.from);
    yield [change(from, gap.trim() || gap.includes("\n") ? comma : next.from, "")];
  } else if (before && !text.slice(before.to, from).replace(/^[, \t]+|[, \t]+$/g, ""))
    yield [change(before.to, to, "")];
  yield [change(from, comma, "")];
}

function* takenLines(text: string, owner: Tree, { from, to }: Span, next: Span): Generator<Way> {
  const begin = lineBegin(text, from);
  const before = text.slice(begin, from).trim();
  if (!before || (owner.kind === "items" && before === "-")) {
    const behind = lineNext(text, to);
    // The last line has no end: then the line before it has none afterwards.
    if (behind === lineEnd(text, to) && begin > lineBegin(text, 0)) {
      yield [change(lineEnd(text, lineBegin(text, begin - 1)), behind, "")];
    }
    yield [change(begin, behind, "")];
  }
  if (next.from > to && !hasComment(text, to, next.from)) yield [change(from, next.from, "")];
}
