/** Node types for the palette: those that match the words, the best first; of those, what fits a port of the graph. */

import { closeness, type Library, type NodeType, type Port } from "./fits";
import { isLoose, itemOf, parseType, type TypeRef } from "./types";

/** A port that a new node is to be wired to: `gives` a type, or `takes` what is written. */
export type Wish = { readonly gives: TypeRef } | { readonly takes: Port };
export interface Hit {
  readonly type: NodeType;
  /** The port of the new node that fits the wish; null without one. */
  readonly port: string | null;
  readonly score: number;
}

/** The node types that match every word of a query and fit a wish, the best first. */
export function search(library: Library, query: string, wish: Wish | null = null): Hit[] {
  const words = query
    .toLowerCase()
    .split(/[\s_]+/)
    .filter(Boolean);
  const hits = [...library.nodes.values()].flatMap((type) => hit(library, type, words, wish) ?? []);
  return hits.sort((a, b) => b.score - a.score || (a.type.name < b.type.name ? -1 : 1));
}

function hit(library: Library, type: NodeType, words: readonly string[], wish: Wish | null): Hit | null {
  const scores = words.map((word) => wordScore(type, word));
  if (scores.includes(0)) return null;
  const sum = scores.reduce((all, one) => all + one, 0) + (words.join("_") === type.name.toLowerCase() ? 100 : 0);
  if (!wish) return { type, port: null, score: sum };
  const best = bestPort(library, type, wish);
  return best && { type, port: best.name, score: sum + best.score };
}

/** How well a word matches a node type; 0 where it does not. */
function wordScore({ name, words, category, doc }: NodeType, word: string): number {
  const parts = name.toLowerCase().split("_");
  if (parts.includes(word)) return 60;
  if (parts.some((part) => part.startsWith(word))) return 40;
  if (word.length > 1 && parts.map((part) => part.charAt(0)).join("") === word) return 35;
  if (name.toLowerCase().includes(word)) return 25;
  if (words.some((other) => startsIn(other, word))) return 20;
  if (startsIn(category, word)) return 10;
  return startsIn(doc, word) ? 5 : 0;
}

function startsIn(text: string, word: string): boolean {
  return text
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .some((part) => part.startsWith(word));
}

/** The port that fits a wish best: the closest type, then what the node needs, then the first. */
function bestPort(library: Library, type: NodeType, wish: Wish): { name: string; score: number } | null {
  const rows = "gives" in wish ? takers(library, type, wish.gives) : givers(library, type, wish.takes);
  const found = rows.filter((row) => row.close > 0).sort((a, b) => b.score - a.score);
  return found[0] ?? null;
}

interface Row {
  readonly name: string;
  readonly close: number;
  readonly score: number;
}

function takers(library: Library, type: NodeType, source: TypeRef): Row[] {
  return type.inputs.map((port) => {
    const close = closeness(source, port, library);
    return { name: port.name, close, score: close * 30 + Number(port.required) * 5 };
  });
}

function givers(library: Library, type: NodeType, port: Port): Row[] {
  return type.outputs.map((output, i) => {
    const given = parseType(output.type, library.ports);
    const close = closeness(given, port, library);
    return { name: output.name, close, score: (isLoose(itemOf(given) ?? given) ? 1 : close) * 30 - i };
  });
}
