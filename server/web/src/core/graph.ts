/** The text of a graph file read into a graph, with the place of every entry. Whether it can run is for the engine to say. */

import { isNumber, type Scalar } from "./scalars";
import { type Entry, type Fault, type Leaf, parse, type Table, type Tree } from "./tree";

export type { Scalar } from "./scalars";
export type { Fault } from "./tree";

export type Value =
  | { readonly kind: "value"; readonly value: Scalar }
  | { readonly kind: "list"; readonly items: readonly Value[] }
  | Ref;
/** What a wire comes from: an output of a node, its first where `port` is null, or an input of the graph. */
export interface End {
  readonly name: string;
  readonly port: string | null;
}
/** `$name` or `$name.port`. */
export interface Ref extends End {
  readonly kind: "ref";
}
/** A name, or several that go together (`prompt+seed`), and the values that they take in turn. */
export interface Axis {
  readonly names: readonly string[];
  readonly values: Value;
}
export interface GraphNode {
  readonly name: string;
  readonly type: string;
  readonly note: string;
  readonly ports: ReadonlyMap<string, Value>;
  readonly each: readonly Axis[];
}
export interface GraphInput {
  readonly name: string;
  readonly type: string;
  readonly default: Value | null;
  readonly min: number | null;
  readonly max: number | null;
  readonly menu: readonly Scalar[] | null;
  readonly help: string;
  readonly optional: boolean;
}
export interface Graph {
  readonly title: string;
  readonly description: string;
  readonly inputs: ReadonlyMap<string, GraphInput>;
  readonly presets: ReadonlyMap<string, ReadonlyMap<string, Value>>;
  readonly sweeps: ReadonlyMap<string, readonly Axis[]>;
  readonly nodes: ReadonlyMap<string, GraphNode>;
  readonly outputs: ReadonlyMap<string, Ref>;
  readonly layout: ReadonlyMap<string, readonly [number, number]>;
  readonly frames: ReadonlyMap<string, readonly string[]>;
}
export interface ReadGraph {
  /** Null where the text is no YAML, or no mapping. */
  readonly graph: Graph | null;
  readonly faults: readonly Fault[];
  /** What the text says, with the place of everything; null where it is no YAML. */
  readonly tree: Tree | null;
}

export const TOP_KEYS = [
  "graph",
  "title",
  "description",
  "inputs",
  "presets",
  "sweeps",
  "nodes",
  "outputs",
  "layout",
  "frames",
] as const;
/** Keys of a node that are no ports. */
export const NODE_KEYS: readonly string[] = ["type", "note", "each"];
export const INPUT_KEYS: readonly string[] = ["type", "default", "min", "max", "menu", "help", "optional"];
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Whether `$name` can refer to it. */
export function isName(text: string): boolean {
  return NAME.test(text);
}

/** The names of an axis: `prompt+seed` is two that go together. */
export function namesOf(key: string): string[] {
  return key.split("+").map((part) => part.trim());
}

/** Reads a text; what is no graph is told in `faults`, and left out. */
export function readGraph(text: string): ReadGraph {
  const { tree, faults: found } = parse(text);
  const faults = [...found];
  if (tree?.kind !== "table") {
    if (!faults.length) {
      const [from, to] = tree ? [tree.from, tree.to] : [0, 0];
      faults.push({ code: "structure", message: "a graph is a mapping with 'nodes' and 'outputs'", from, to });
    }
    return { graph: null, faults, tree };
  }
  return { graph: new Reader(tree, faults).graph(), faults, tree };
}

/** What a library says of the type of a node; where an input of the graph chooses the type, of the input's default. */
export function specOf<T>(graph: Graph, library: { readonly nodes: ReadonlyMap<string, T> }, name: string): T | undefined {
  const type = graph.nodes.get(name)?.type ?? "";
  const chosen = type.startsWith("$") ? graph.inputs.get(type.slice(1))?.default : null;
  return library.nodes.get(chosen?.kind === "value" ? String(chosen.value) : type);
}

/** What a text in a graph file says: `$name.port` refers, `$$` begins a text with a dollar sign. */
export function meant(value: Scalar): Value {
  if (typeof value !== "string" || !value.startsWith("$")) return { kind: "value", value };
  if (value.startsWith("$$")) return { kind: "value", value: value.slice(1) };
  const [name = "", ...rest] = value.slice(1).split(".");
  return { kind: "ref", name, port: rest.join(".") || null };
}

class Reader {
  constructor(
    readonly tree: Table,
    readonly faults: Fault[],
  ) {}

  graph(): Graph {
    return {
      title: this.text(this.tree, "title"),
      description: this.text(this.tree, "description"),
      inputs: this.section("inputs", (entry) => this.input(entry)),
      presets: this.section("presets", (entry) => this.preset(entry)),
      sweeps: this.section("sweeps", (entry) => this.sweep(entry)),
      nodes: this.section("nodes", (entry) => this.node(entry)),
      outputs: this.section("outputs", (entry) => this.output(entry)),
      layout: this.section("layout", (entry) => this.place(entry)),
      frames: this.section("frames", (entry) => this.frame(entry)),
    };
  }

  fault(message: string, { from, to }: { from: number; to: number }): null {
    this.faults.push({ code: "structure", message, from, to });
    return null;
  }

  section<T>(key: string, read: (entry: Entry) => T | null): Map<string, T> {
    const found = valueOf(this.tree, key);
    const rows = new Map<string, T>();
    if (!found || (found.kind === "leaf" && found.value === null)) return rows;
    if (found.kind !== "table") this.fault(`'${key}' must be a mapping`, found);
    for (const entry of found.kind === "table" ? found.entries : []) {
      const row = read(entry);
      if (row !== null) rows.set(entry.key, row);
    }
    return rows;
  }

  text(table: Table, key: string): string {
    const found = valueOf(table, key);
    if (found && found.kind !== "leaf") this.fault(`'${key}' must be a text`, found);
    return found?.kind === "leaf" && found.value !== null ? String(found.value) : "";
  }

  value(tree: Tree): Value | null {
    if (tree.kind === "leaf") return meant(tree.value);
    if (tree.kind === "table") return this.fault("a mapping cannot stand here; quote it, if it is a text", tree);
    return { kind: "list", items: tree.values.map((v) => this.value(v)).filter((v) => v !== null) };
  }

  values(table: Table, but: readonly string[] = []): Map<string, Value> {
    const rows = new Map<string, Value>();
    for (const { key, value } of table.entries) {
      const read = but.includes(key) ? null : this.value(value);
      if (read) rows.set(key, read);
    }
    return rows;
  }

  typed(entry: Entry, what: string): { table: Table; type: string } | null {
    if (entry.value.kind !== "table")
      return this.fault(`${what} '${entry.key}' must be a mapping with a type`, entry.value);
    const type = valueOf(entry.value, "type");
    if (type?.kind === "leaf" && typeof type.value === "string") return { table: entry.value, type: type.value };
    return this.fault(`${what} '${entry.key}' needs a type`, { from: entry.keyFrom, to: entry.keyTo });
  }

  node(entry: Entry): GraphNode | null {
    const found = this.typed(entry, "node");
    if (!found) return null;
    const { table, type } = found;
    const each = valueOf(table, "each");
    const ports = this.values(table, NODE_KEYS);
    return { name: entry.key, type, note: this.text(table, "note"), ports, each: each ? this.axes(each) : [] };
  }

  input(entry: Entry): GraphInput | null {
    const found = this.typed(entry, "input");
    if (!found) return null;
    const { table, type } = found;
    const given = valueOf(table, "default");
    return {
      name: entry.key,
      type,
      default: given ? this.value(given) : null,
      min: this.number(table, "min"),
      max: this.number(table, "max"),
      menu: this.menu(table),
      help: this.text(table, "help"),
      optional: scalarAt(table, "optional") === true,
    };
  }

  number(table: Table, key: string): number | null {
    const found = scalarAt(table, key);
    const value = typeof found === "bigint" ? Number(found) : found;
    return isNumber(value) ? value : null;
  }

  menu(table: Table): Scalar[] | null {
    const found = valueOf(table, "menu");
    return found?.kind === "items" ? found.values.filter(isLeaf).map((leaf) => leaf.value) : null;
  }

  preset(entry: Entry): Map<string, Value> | null {
    if (entry.value.kind === "table") return this.values(entry.value);
    return this.fault(`preset '${entry.key}' must be a mapping of input values`, entry.value);
  }

  sweep(entry: Entry): Axis[] | null {
    const each = entry.value.kind === "table" ? valueOf(entry.value, "each") : null;
    return each ? this.axes(each) : this.fault(`the sweep '${entry.key}' must say what is swept`, entry.value);
  }

  axes(tree: Tree): Axis[] {
    if (tree.kind !== "table") this.fault("'each' must be a mapping of names to values", tree);
    const rows = tree.kind === "table" ? [...this.values(tree)] : [];
    return rows.map(([key, values]) => ({ names: namesOf(key), values }));
  }

  output(entry: Entry): Ref | null {
    const value = entry.value.kind === "leaf" ? meant(entry.value.value) : null;
    return value?.kind === "ref" ? value : this.fault(`output '${entry.key}' must refer to a node`, entry.value);
  }

  place(entry: Entry): [number, number] | null {
    const pair = entry.value.kind === "items" ? entry.value.values.filter(isLeaf).map((leaf) => leaf.value) : [];
    const [x, y] = pair;
    if (pair.length === 2 && isNumber(x) && isNumber(y)) return [x, y];
    return this.fault(`the place of '${entry.key}' must be [x, y]`, entry.value);
  }

  frame(entry: Entry): string[] | null {
    if (entry.value.kind !== "items")
      return this.fault(`the frame '${entry.key}' must be a list of nodes`, entry.value);
    return entry.value.values.filter(isLeaf).map((leaf) => String(leaf.value));
  }
}

function isLeaf(tree: Tree): tree is Leaf {
  return tree.kind === "leaf";
}

function valueOf(table: Table, key: string): Tree | null {
  return table.entries.find((entry) => entry.key === key)?.value ?? null;
}

function scalarAt(table: Table, key: string): Scalar {
  const found = valueOf(table, key);
  return found?.kind === "leaf" ? found.value : null;
}
