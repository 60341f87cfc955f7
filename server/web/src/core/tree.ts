/** YAML text → a tree in which every value knows its place, in UTF-16 units. It takes what the engine takes. */

import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Pair,
  parseDocument,
  type Range,
  type Scalar as Word,
  type YAMLMap,
  type YAMLSeq,
} from "yaml";
import { plain, type Scalar, type Sort } from "./scalars";

export type FaultCode = "syntax" | "deep" | "feature" | "duplicate" | "long-number" | "structure";
export interface Fault {
  readonly code: FaultCode;
  readonly message: string;
  readonly from: number;
  readonly to: number;
}

interface Placed {
  readonly from: number;
  /** Behind its last character; blank lines and comments after a block do not belong to it. */
  readonly to: number;
  /** Whether it has an anchor or a tag, or is an alias. */
  readonly marked: boolean;
}
export interface Leaf extends Placed {
  readonly kind: "leaf";
  readonly value: Scalar;
  readonly sort: Sort;
  readonly style: "plain" | "single" | "double" | "block";
  /** How a number, flag or nothing is written; empty where it stands nowhere yet. */
  readonly source: string;
}
export interface Items extends Placed {
  readonly kind: "items";
  readonly values: readonly Tree[];
  readonly flow: boolean;
}
export interface Table extends Placed {
  readonly kind: "table";
  readonly entries: readonly Entry[];
  readonly flow: boolean;
}
export type Tree = Leaf | Items | Table;

/** A key with its value; it begins at the `?` before the key where there is one. */
export interface Entry {
  readonly key: string;
  readonly from: number;
  readonly to: number;
  readonly keyFrom: number;
  readonly keyTo: number;
  /** Behind its colon; null where it has none. */
  readonly colon: number | null;
  readonly value: Tree;
}
export interface Parsed {
  readonly text: string;
  /** What could be read; null where nothing is there, or the text is no YAML. */
  readonly tree: Tree | null;
  readonly faults: readonly Fault[];
}

const DEEPEST = 64;
const UNPRINTABLE = /[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;

const KEPT = 8;
const kept = new Map<string, Parsed>();

/** Reads a text; the last few are kept. */
export function parse(text: string): Parsed {
  const found = kept.get(text) ?? fresh(text);
  kept.delete(text);
  kept.set(text, found);
  for (const [oldest] of kept) if (kept.size > KEPT) kept.delete(oldest);
  return found;
}

function fresh(text: string): Parsed {
  const control = UNPRINTABLE.exec(text);
  if (control) return unreadable(text, control.index, "a character that a text cannot hold");
  try {
    const options = { schema: "failsafe", uniqueKeys: false, prettyErrors: false, logLevel: "error" } as const;
    return new Reader(text).read(parseDocument(text, { ...options, keepSourceTokens: true }));
  } catch (error) {
    if (error instanceof RangeError) return unreadable(text, 0, "nested too deep", "deep");
    throw error;
  }
}

function unreadable(text: string, at: number, message: string, code: FaultCode = "syntax"): Parsed {
  return { text, tree: null, faults: [{ code, message, from: at, to: at + 1 }] };
}

class Reader {
  readonly faults: Fault[] = [];
  constructor(readonly text: string) {}

  read(document: Document): Parsed {
    for (const { code, message, pos } of document.errors) {
      if (code === "MULTIPLE_DOCS") this.fault("feature", "a graph file holds one document", pos[0], pos[1]);
      else this.fault("syntax", message, pos[0], pos[1]);
    }
    const tree = document.contents ? this.tree(document.contents, 0, 0) : null;
    const bad = this.faults.some((fault) => fault.code === "syntax" || fault.code === "deep");
    return { text: this.text, tree: bad ? null : tree, faults: this.faults };
  }

  fault(code: FaultCode, message: string, from: number, to: number): void {
    this.faults.push({ code, message, from, to });
  }

  tree(node: unknown, at: number, depth: number, key = false): Tree {
    if (isScalar(node)) return this.scalar(node, key);
    if (depth >= DEEPEST) this.fault("deep", `nested more than ${DEEPEST} deep`, at, at + 1);
    else if (isMap(node)) return this.table(node, depth);
    else if (isSeq(node)) return this.items(node, depth);
    const [from, to] = isAlias(node) ? rangeOf(node) : [at, at];
    const marked = isAlias(node);
    if (marked) this.fault("feature", "an alias is not part of the format", from, to);
    return { kind: "leaf", value: null, sort: "nothing", style: "plain", source: "", from, to, marked };
  }

  scalar(node: Word, key: boolean): Leaf {
    const [from, end] = rangeOf(node);
    const style = STYLES[node.type ?? ""] ?? "plain";
    const to = style === "block" ? from + this.text.slice(from, end).trimEnd().length : end;
    const text = this.withoutLastBreak(String(node.source ?? node.value ?? ""), style, end);
    const read = style !== "plain" || key ? ({ value: text, sort: "text" } as const) : plain(text);
    if (!read) this.fault("long-number", "a number with too many digits", from, to);
    const { value, sort } = read ?? ({ value: null, sort: "nothing" } as const);
    const source = sort === "text" ? "" : text;
    return { kind: "leaf", value, sort, style, source, from, to, marked: this.marked(node) };
  }

  /** A block text at the end of a file that has no last line end has none either. */
  withoutLastBreak(value: string, style: Leaf["style"], end: number): string {
    const open = style === "block" && end === this.text.length && !this.text.endsWith("\n");
    return open ? value.replace(/\n$/, "") : value;
  }

  marked(node: Word | YAMLMap | YAMLSeq): boolean {
    const [from] = rangeOf(node);
    if (node.anchor) this.fault("feature", `the anchor '&${node.anchor}' is not part of the format`, from, from);
    if (node.tag) this.fault("feature", `the tag '${node.tag}' is not part of the format`, from, from);
    return Boolean(node.anchor || node.tag);
  }

  items(node: YAMLSeq, depth: number): Items {
    const marked = this.marked(node);
    const [from, end] = rangeOf(node);
    const values = node.items.map((item) => this.tree(item, from, depth + 1));
    const flow = this.text[from] === "[";
    return { kind: "items", values, flow, marked, from, to: flow ? end : (values.at(-1)?.to ?? from) };
  }

  table(node: YAMLMap, depth: number): Table {
    const marked = this.marked(node);
    const [from, end] = rangeOf(node);
    const entries: Entry[] = [];
    const seen = new Set<string>();
    let last = from;
    for (const pair of node.items) {
      const entry = this.entry(pair, last, depth);
      last = entry.to;
      if (seen.has(entry.key)) {
        this.fault("duplicate", `the key '${entry.key}' stands twice here`, entry.keyFrom, entry.keyTo);
      } else entries.push(entry);
      seen.add(entry.key);
    }
    const flow = this.text[from] === "{";
    return { kind: "table", entries, flow, marked, from, to: flow ? end : last };
  }

  entry(pair: Pair, after: number, depth: number): Entry {
    const asked = pair.srcToken?.start?.find((token) => token.type === "explicit-key-ind");
    const sign = pair.srcToken?.sep?.find((token) => token.type === "map-value-ind");
    const key = this.key(this.tree(pair.key, asked ? asked.offset + 1 : (sign?.offset ?? after), depth + 1, true));
    const colon = sign ? sign.offset + 1 : null;
    const value = this.tree(pair.value, colon ?? key.to, depth + 1);
    const empty = value.from === value.to;
    const place = { from: asked?.offset ?? key.from, keyFrom: key.from, keyTo: key.to };
    return { key: key.name, ...place, colon, value, to: empty ? (colon ?? key.to) : value.to };
  }

  key(tree: Tree): { name: string; from: number; to: number } {
    const { from, to } = tree;
    if (tree.kind !== "leaf") this.fault("structure", "a key must be a word", from, to);
    const name = tree.kind === "leaf" ? String(tree.value ?? "") : "";
    if (name === "<<" && tree.kind === "leaf" && tree.style === "plain") {
      this.fault("feature", "merge keys are not part of the format", from, to);
    }
    return { name, from, to };
  }
}

const STYLES: Record<string, Leaf["style"]> = {
  QUOTE_SINGLE: "single",
  QUOTE_DOUBLE: "double",
  BLOCK_LITERAL: "block",
  BLOCK_FOLDED: "block",
};

function rangeOf(node: { range?: Range | null }): [number, number] {
  return node.range ? [node.range[0], node.range[1]] : [0, 0];
}

/** The entry that a path of keys leads to. */
export function find(tree: Tree, path: readonly string[]): Entry | null {
  let at: Tree = tree;
  let found: Entry | null = null;
  for (const key of path) {
    found = (at.kind === "table" && at.entries.find((entry) => entry.key === key)) || null;
    if (!found) return null;
    at = found.value;
  }
  return found;
}
