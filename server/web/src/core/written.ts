/** Values as a graph file writes them: on one line, quoted where they must be. */

import type { End, Value } from "./graph";
import { plain, type Scalar, type Sort } from "./scalars";
import type { Entry, Leaf, Tree } from "./tree";

/** A value as a file says it: `$name.port` is a reference, `$$` begins a text with a dollar sign. */
export type Written = Scalar | readonly Written[] | ReadonlyMap<string, Written>;

const NOWHERE = { from: 0, to: 0, marked: false };

/** What a value of a graph is in its file. */
export function written(value: Value): Written {
  if (value.kind === "list") return value.items.map(written);
  if (value.kind === "ref") return refText(value);
  return typeof value.value === "string" && value.value.startsWith("$") ? `$${value.value}` : value.value;
}

/** `$name`, or `$name.port`. */
export function refText({ name, port }: End): string {
  return port ? `$${name}.${port}` : `$${name}`;
}

/** A value as it would be read. */
export function treeOf(value: Written): Tree {
  if (value instanceof Map) {
    return { ...NOWHERE, kind: "table", flow: true, entries: [...value].map(([key, v]) => entryOf(key, treeOf(v))) };
  }
  if (Array.isArray(value)) return { ...NOWHERE, kind: "items", flow: true, values: value.map(treeOf) };
  const scalar = value as Scalar;
  return { ...NOWHERE, kind: "leaf", style: "plain", source: "", value: scalar, sort: sortOf(scalar) };
}

/** An entry that stands nowhere yet. */
export function entryOf(key: string, value: Tree): Entry {
  return { key, value, from: 0, to: 0, keyFrom: 0, keyTo: 0, colon: null };
}

function sortOf(value: Scalar): Sort {
  return typeof value === "string" ? "text" : (plain(scalarText(value)) ?? { sort: "text" as const }).sort;
}

/** A value on one line. */
export function flow(tree: Tree): string {
  if (tree.kind === "table") return `{${tree.entries.map((e) => `${keyText(e.key)}: ${flow(e.value)}`).join(", ")}}`;
  if (tree.kind === "items") return `[${tree.values.map(flow).join(", ")}]`;
  return leafText(tree);
}

function leafText({ value, style, source }: Leaf): string {
  if (typeof value === "string") return style !== "plain" || !isBare(value) ? quoted(value) : value;
  return source || scalarText(value);
}

function scalarText(value: Scalar): string {
  return typeof value === "number" ? numberText(value) : String(value);
}

function numberText(value: number): string {
  return Number.isInteger(value) && !Object.is(value, -0) && Math.abs(value) < 1e21 ? String(value) : floatText(value);
}

function floatText(value: number): string {
  if (Number.isNaN(value)) return ".nan";
  if (!Number.isFinite(value)) return value > 0 ? ".inf" : "-.inf";
  const text = Object.is(value, -0) ? "-0" : String(value);
  return /^-?[0-9]+$/.test(text) ? `${text}.0` : text;
}

/** A key so that it reads back as itself. */
export function keyText(name: string): string {
  const read = isSafe(name) && name !== "<<" ? plain(name) : null;
  const bare = read && read.value !== null && read.sort !== "flag" && String(read.value) === name;
  return bare ? name : quoted(name);
}

function isBare(text: string): boolean {
  return isSafe(text) && plain(text)?.sort === "text";
}

function isSafe(text: string): boolean {
  return isPrintable(text) && !/[,[\]{}#&*!|>'"%@`:]|^[-?=]/.test(text) && text === text.trim();
}

/** Whether nothing in a text has to be written by its number. */
export function isPrintable(text: string): boolean {
  return !/(?! )[\p{C}\p{Z}]/u.test(text);
}

/** A text between double quotes; what does not print is written by its number. */
export function quoted(text: string): string {
  return `"${[...text].map(escaped).join("")}"`;
}

const NAMED: Readonly<Record<string, string>> = { "\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t" };

function escaped(character: string): string {
  if (isPrintable(character)) return NAMED[character] ?? character;
  const code = (character.codePointAt(0) ?? 0).toString(16);
  const [sign, width] = code.length <= 2 ? ["x", 2] : code.length <= 4 ? ["u", 4] : ["U", 8];
  return NAMED[character] ?? `\\${sign}${code.padStart(width, "0")}`;
}

/** A text between single quotes; null where it cannot stand there. */
export function singleQuoted(text: string): string | null {
  return isPrintable(text) ? `'${text.replaceAll("'", "''")}'` : null;
}
