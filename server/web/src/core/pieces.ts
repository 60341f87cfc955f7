/** Nodes as a piece of text that can be put into another graph. */

import { type Graph, readGraph } from "./graph";
import { isBlock, rowsOf } from "./rewriting";
import { indentOf, lineBegin, lineEnd } from "./text";
import { type Entry, find, parse } from "./tree";

const INDENT = "  ";

/** Nodes of a graph as they are written there, below `nodes:`, and their places where those are written. */
export function pieceOf(text: string, names: readonly string[]): string {
  const { tree } = parse(text);
  const section = (key: string, entry: (found: Entry) => string[]): string[] => {
    const found = names.flatMap((name) => (tree?.kind === "table" && find(tree, [key, name])) || []);
    return found.length ? [`${key}:`, ...found.flatMap(entry)] : [];
  };
  const flowing = (entry: Entry) => rowsOf(INDENT, entry.key, entry.value);
  const rows = [...section("nodes", (entry) => asWritten(text, entry) ?? flowing(entry)), ...section("layout", flowing)];
  return rows.map((row) => `${row}\n`).join("");
}

/** The lines of an entry, comments and all; null where other entries stand on them too. */
function asWritten(text: string, entry: Entry): string[] | null {
  const indent = indentOf(text, entry.from);
  const end = lineEnd(text, entry.to);
  const behind = text.slice(entry.to, end).trim();
  if (indent === null || (behind && !behind.startsWith("#"))) return null;
  if (isBlock(entry.value) && entry.value.kind === "leaf") return null;
  const lines = text.slice(lineBegin(text, entry.from), end).trimEnd().split(/\r?\n/);
  const deep = lines.every((line) => !line.trim() || line.startsWith(indent));
  return deep ? lines.map((line) => (line.trim() ? INDENT + line.slice(indent.length) : "")) : null;
}

/** The nodes of a piece: of a whole graph, of its `nodes:`, or of lines that stand in those; null where it has none. */
export function graphOfPiece(piece: string): Graph | null {
  const whole = readGraph(piece).graph;
  if (whole?.nodes.size) return whole;
  const indented = piece.replace(/^(?=.)/gm, INDENT);
  const inner = readGraph(`nodes:\n${indented}`);
  return inner.graph?.nodes.size && !inner.faults.length ? inner.graph : null;
}
