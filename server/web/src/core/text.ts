/** Changes of a text, and its lines. Offsets count UTF-16 units, as CodeMirror does. */

/** The characters `from … to` become `insert`; several mean the text before all of them. */
export interface Change {
  readonly from: number;
  readonly to: number;
  readonly insert: string;
}

const MARK = "\ufeff";

/** The changes in the order of the text; null where two change the same place. */
export function ordered(changes: readonly Change[]): Change[] | null {
  const rows = changes.toSorted((a, b) => a.from - b.from || a.to - b.to);
  return rows.some((row, i) => i > 0 && row.from < (rows[i - 1]?.to ?? 0)) ? null : rows;
}

/** The text after all changes. Throws RangeError where two change the same place. */
export function applied(text: string, changes: readonly Change[]): string {
  const rows = ordered(changes);
  if (!rows) throw new RangeError("two changes are of the same place");
  const ends = [0, ...rows.map((row) => row.to)];
  return rows.map((row, i) => text.slice(ends[i], row.from) + row.insert).join("") + text.slice(ends.at(-1));
}

/** Where the line of a character begins; a byte order mark belongs to none. */
export function lineBegin(text: string, offset: number): number {
  const begin = offset > 0 ? text.lastIndexOf("\n", offset - 1) + 1 : 0;
  return begin === 0 && text.startsWith(MARK) ? 1 : begin;
}

/** Where the line of a character ends, before its break. */
export function lineEnd(text: string, offset: number): number {
  const found = text.indexOf("\n", offset);
  if (found < 0) return text.length;
  return found > offset && text[found - 1] === "\r" ? found - 1 : found;
}

/** Where the line after that of a character begins; the end of the text after the last. */
export function lineNext(text: string, offset: number): number {
  const found = text.indexOf("\n", offset);
  return found < 0 ? text.length : found + 1;
}

/** The number of the line of a character, from 1. */
export function lineNumber(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}

/** How the lines of a text end: by its first break. */
export function newline(text: string): string {
  const found = text.indexOf("\n");
  return found > 0 && text[found - 1] === "\r" ? "\r\n" : "\n";
}

/** The blanks before a place on its line; null where something else stands there. */
export function indentOf(text: string, offset: number): string | null {
  const before = text.slice(lineBegin(text, offset), offset);
  return before.trim() ? null : before;
}

/** The characters of a stretch without values that are neither blank nor in a comment, with their places. */
export function* signs(text: string, from: number, to: number): Generator<[number, string]> {
  for (let at = from; at < to; at += 1) {
    const sign = text.charAt(at);
    if (sign === "#") at = lineEnd(text, at) - 1;
    else if (sign.trim()) yield [at, sign];
  }
}

/** Whether a comment stands in a stretch without values. */
export function hasComment(text: string, from: number, to: number): boolean {
  return text.slice(from, to).includes("#");
}
