/** Every edit that a graph allows, with what it should do to the data of the file; read by `yaml` alone, every scalar a text. */

import { Lexer, parseDocument, visit } from "yaml";
import * as edit from "../edits";
import { NODE_KEYS, namesOf } from "../graph";
import { assigned, gone, opened } from "../settling";
import { type Change, ordered } from "../text";
import type { Written } from "../written";

export type Data = { [key: string]: any };
/** Makes the edits of a text. */
export interface Case {
  readonly name: string;
  readonly make: (text: string) => edit.Edits;
  readonly change: (data: Data) => void;
}

/** A function that keeps what it gave for the last texts. */
function kept<T>(make: (text: string) => T): (text: string) => T {
  const found = new Map<string, T>();
  return (text) => {
    const value = found.get(text) ?? make(text);
    found.delete(text);
    found.set(text, value);
    for (const [oldest] of found) if (found.size > 4) found.delete(oldest);
    return value;
  };
}

const dataOf = kept((text): Data => {
  const document = parseDocument(text, { schema: "failsafe", logLevel: "error" });
  const open = (end: number | undefined): boolean => end === text.length && !text.endsWith("\n");
  visit(document, {
    // A block text at the end of a file without a last line end has none, for the engine.
    Scalar: (_, node) => {
      if (node.type?.startsWith("BLOCK") && open(node.range?.[1])) node.value = String(node.value).replace(/\n$/, "");
    },
  });
  if (document.errors[0]) throw document.errors[0];
  return trimmed(document.toJS() as Data);
});

/** The data of a file; an empty section is none. */
export function loaded(text: string): Data {
  return structuredClone(dataOf(text));
}

/** Data without empty sections. */
export function trimmed(data: Data): Data {
  const empty = (part: unknown): boolean =>
    isNothing(part) || (typeof part === "object" && !Array.isArray(part) && !Object.keys(part ?? {}).length);
  return Object.fromEntries(Object.entries(data).filter(([, part]) => !empty(part)));
}

function isNothing(part: unknown): boolean {
  return part === null || (typeof part === "string" && ["", "null", "~"].includes(part));
}

/** The comments of a file, sorted. */
export const comments = kept((text): string[] => {
  const lexemes = [...new Lexer().lex(text)];
  return lexemes
    .filter((part, i) => part.startsWith("#") && lexemes[i - 1] !== "\u001f")
    .map((part) => part.trimEnd())
    .sort();
});

function table(data: Data, path: readonly string[]): Data {
  return path.reduce((at, key) => {
    if (typeof at[key] !== "object" || at[key] === null || Array.isArray(at[key])) at[key] = {};
    return at[key] as Data;
  }, data);
}

function write(...path: string[]): (value: unknown) => (data: Data) => void {
  return (value) => (data) => void (table(data, path.slice(0, -1))[path.at(-1) ?? ""] = value);
}

function drop(...path: string[]): (data: Data) => void {
  return (data) => void delete table(data, path.slice(0, -1))[path.at(-1) ?? ""];
}

function mapped(data: Data, change: (key: string, value: any) => [string, unknown]): Data {
  return Object.fromEntries(Object.entries(data).map(([key, value]) => change(key, value)));
}

function renaming(section: string, old: string, name: string): (data: Data) => void {
  const refs = (value: any): any => {
    if (Array.isArray(value)) return value.map(refs);
    const [head, ...rest] = typeof value === "string" ? value.split(".") : [""];
    return head === `$${old}` ? [`$${name}`, ...rest].join(".") : value;
  };
  const keys = (data: Data): Data => mapped(data, (key, value) => [key === old ? name : key, value]);
  const axes = (data: Data): Data =>
    mapped(data, (key, value) => [
      namesOf(key).includes(old)
        ? namesOf(key)
            .map((n) => (n === old ? name : n))
            .join("+")
        : key,
      value,
    ]);
  const port = (key: string, value: any): [string, unknown] => [
    key,
    key === "note" ? value : key === "each" ? mapped(value, (k, v) => [k, refs(v)]) : refs(value),
  ];
  return (data) => {
    for (const part of [section, "layout"]) if (data[part]) data[part] = keys(data[part]);
    if (section === "inputs" && data.presets) data.presets = mapped(data.presets, (k, v) => [k, keys(v)]);
    if (section === "inputs" && data.sweeps)
      data.sweeps = mapped(data.sweeps, (k, v) => [k, mapped(v, (e, a) => [e, axes(a)])]);
    data.nodes = mapped(data.nodes ?? {}, (k, node) => [k, mapped(node, port)]);
    data.outputs = mapped(data.outputs ?? {}, (k, v) => [k, refs(v)]);
    if (data.frames) data.frames = mapped(data.frames, (k, v) => [k, v.map((m: string) => (m === old ? name : m))]);
  };
}

function withoutNode(name: string): (data: Data) => void {
  return (data) => {
    delete data.nodes[name];
    if (data.layout) delete data.layout[name];
    if (data.frames) data.frames = mapped(data.frames, (k, v) => [k, v.filter((m: string) => m !== name)]);
  };
}

function withoutInput(name: string): (data: Data) => void {
  return (data) => {
    const sweeps = Object.values(data.sweeps ?? {}).map((sweep: any) => sweep.each);
    for (const part of [data.inputs, data.layout ?? {}, ...Object.values(data.presets ?? {}), ...sweeps])
      delete part[name];
  };
}

const VALUES: readonly (readonly [Written, unknown])[] = [
  [7, "7"],
  [-0.5, "-0.5"],
  ["a red star", "a red star"],
  ["red: blue, # 'or' \"so\"", "red: blue, # 'or' \"so\""],
  ["two\nlines\n", "two\nlines\n"],
  ["😀", "😀"],
  ["", ""],
  ["true", "true"],
  [
    ["$seed", 2, "x, y"],
    ["$seed", "2", "x, y"],
  ],
  [[], []],
  [true, "true"],
  ["$one.out", "$one.out"],
  [2n ** 63n, "9223372036854775808"],
];

function case_(name: string, make: Case["make"], change: Case["change"]): Case {
  return { name, make, change };
}

function* ofPort(node: string, port: string, old: any, [value, said]: readonly [Written, unknown]): Generator<Case> {
  const path = ["nodes", node, port];
  const set = write(...path);
  yield case_(`set ${node}.${port}`, (t) => edit.setPort(t, node, port, value), set(said));
  yield case_(`unset ${node}.${port}`, (t) => edit.unsetPort(t, node, port), drop(...path));
  const more = Array.isArray(old) ? [...old, `$${node}`] : [old, `$${node}`];
  if (!isNothing(old))
    yield case_(
      `wire ${node}.${port} too`,
      (t) => edit.connectToo(t, { name: node, port: null }, node, port),
      set(more),
    );
  const wire = (Array.isArray(old) ? old : [old]).find((v: unknown) => /^\$[a-z_]+(\.[a-z_]+)*$/.test(String(v)));
  if (!wire) return;
  const [name = "", ...rest] = String(wire).slice(1).split(".");
  const source = { name, port: rest.join(".") || null };
  const now = `$${node}.other`;
  yield case_(
    `rewire ${node}.${port}`,
    (t) => edit.rewire(t, source, { name: node, port: "other" }, node, port),
    set(Array.isArray(old) ? old.map((v: unknown) => (v === wire ? now : v)) : now),
  );
  const without = Array.isArray(old) && old.length > 1 ? set(old.toSpliced(old.indexOf(wire), 1)) : drop(...path);
  yield case_(`unwire ${node}.${port}`, (t) => edit.disconnect(t, source, node, port), without);
}

function* ofNode(node: string, parts: Data, at: number): Generator<Case> {
  const one = VALUES[at % VALUES.length] ?? [0, "0"];
  for (const port of Object.keys(parts).filter((key) => !NODE_KEYS.includes(key))) {
    yield* ofPort(node, port, parts[port], VALUES[(at + port.length) % VALUES.length] ?? one);
    if (typeof parts[port] === "string" && !parts[port].startsWith("$") && !isNothing(parts[port])) {
      yield case_(
        `expose ${node}.${port}`,
        (t) => edit.exposePort(t, node, port, "added_it", "Any"),
        (data) => {
          write("inputs", "added_it")({ type: "Any", default: parts[port] })(data);
          write("nodes", node, port)("$added_it")(data);
        },
      );
    }
  }
  yield case_(
    `add ${node}.added`,
    (t) => edit.setPort(t, node, "added", one[0]),
    write("nodes", node, "added")(one[1]),
  );
  yield case_(`note ${node}`, (t) => edit.setNote(t, node, "a, note"), write("nodes", node, "note")("a, note"));
  yield case_(`type ${node}`, (t) => edit.setType(t, node, "other"), write("nodes", node, "type")("other"));
  yield case_(`rename ${node}`, (t) => edit.renameNode(t, node, "renamed_it"), renaming("nodes", node, "renamed_it"));
  yield case_(`remove ${node}`, (t) => edit.removeNode(t, node), withoutNode(node));
  yield case_(`move ${node}`, (t) => edit.moveAll(t, new Map([[node, [3, -4.5]]])), write("layout", node)(["3", "-4.5"]));
  yield case_(
    `wire ${node}`,
    (t) => edit.connect(t, { name: node, port: "b" }, node, "added"),
    write("nodes", node, "added")(`$${node}.b`),
  );
  yield case_(
    `each ${node}`,
    (t) => edit.setEach(t, node, "added", [1, 2]),
    write("nodes", node, "each", "added")(["1", "2"]),
  );
  const axes = Object.keys(parts.each ?? {});
  for (const names of axes) {
    yield case_(
      `no each ${node}`,
      (t) => edit.unsetEach(t, node, names),
      axes.length > 1 ? drop("nodes", node, "each", names) : drop("nodes", node, "each"),
    );
  }
  if ("note" in parts) yield case_(`no note ${node}`, (t) => edit.setNote(t, node, ""), drop("nodes", node, "note"));
}

/** Edits of any entry, also of those that no edit of a graph has yet. */
const set = (text: string, value: Written, ...path: string[]): edit.Edits => assigned(opened(text), [path, value]);
const unset = (text: string, ...path: string[]): edit.Edits => gone(opened(text), path, "entry");

function* ofInput(name: string, facts: Data, presets: readonly string[]): Generator<Case> {
  for (const fact of Object.keys(facts).filter((key) => key !== "type")) {
    yield case_(`unset ${name}.${fact}`, (t) => unset(t, "inputs", name, fact), drop("inputs", name, fact));
    yield case_(`set ${name}.${fact}`, (t) => set(t, 5, "inputs", name, fact), write("inputs", name, fact)("5"));
  }
  yield case_(`help ${name}`, (t) => set(t, "x: y", "inputs", name, "help"), write("inputs", name, "help")("x: y"));
  yield case_(`rename ${name}`, (t) => edit.renameInput(t, name, "renamed_it"), renaming("inputs", name, "renamed_it"));
  yield case_(`remove ${name}`, (t) => edit.removeInput(t, name), withoutInput(name));
  for (const preset of ["added", ...presets]) {
    yield case_(
      `preset ${preset} ${name}`,
      (t) => set(t, "😀", "presets", preset, name),
      write("presets", preset, name)("😀"),
    );
  }
}

function* ofCanvas(data: Data): Generator<Case> {
  const members = Object.keys(data.nodes ?? {}).slice(0, 2);
  for (const title of ["My: frame", ...Object.keys(data.frames ?? {})]) {
    yield case_(`frame ${title}`, (t) => edit.setFrame(t, title, members), write("frames", title)(members));
  }
  const retitled = (title: string) => (all: Data) =>
    void (all.frames = mapped(all.frames, (key, value) => [key === title ? "An: other" : key, value]));
  for (const title of Object.keys(data.frames ?? {}))
    yield case_(`retitle ${title}`, (t) => edit.renameFrame(t, title, "An: other"), retitled(title));
  for (const title of Object.keys(data.frames ?? {}))
    yield case_(`no frame ${title}`, (t) => edit.unsetFrame(t, title), drop("frames", title));
  for (const name of Object.keys(data.layout ?? {}))
    yield case_(`unplace ${name}`, (t) => edit.unplace(t, name), drop("layout", name));
  const places = new Map(members.map((name, i) => [name, [i, 2.5] as const]));
  yield case_(
    "move all",
    (t) => edit.moveAll(t, places),
    (all) => members.forEach((name, i) => write("layout", name)([String(i), "2.5"])(all)),
  );
}

function* ofTheRest(data: Data): Generator<Case> {
  const ports = { text: `${"a ".repeat(60)}b`, c: ["$x"], d: "1" };
  const big = new Map<string, Written>([
    ["text", ports.text],
    ["c", ["$x"]],
    ["d", 1],
  ]);
  yield case_("add small", (t) => edit.addNode(t, "added_it", "small"), write("nodes", "added_it")({ type: "small" }));
  yield case_(
    "add big",
    (t) => edit.addNode(t, "added_it", "big", { ports: big, note: "n" }),
    write("nodes", "added_it")({ type: "big", ...ports, note: "n" }),
  );
  yield case_(
    "add input",
    (t) => edit.addInput(t, "added_it", "int", new Map([["default", 1]])),
    write("inputs", "added_it")({ type: "int", default: "1" }),
  );
  yield case_("title", (t) => set(t, "Äh: 😀", "title"), write("title")("Äh: 😀"));
  yield case_("description", (t) => set(t, "two\nlines", "description"), write("description")("two\nlines"));
  for (const name of ["added_it", ...Object.keys(data.outputs ?? {})]) {
    yield case_(
      `output ${name}`,
      (t) => edit.setOutput(t, name, { name: "x", port: "y" }),
      write("outputs", name)("$x.y"),
    );
  }
  for (const name of Object.keys(data.outputs ?? {}))
    yield case_(`no output ${name}`, (t) => edit.unsetOutput(t, name), drop("outputs", name));
  for (const [preset, values] of Object.entries(data.presets ?? {})) {
    yield case_(`no preset ${preset}`, (t) => unset(t, "presets", preset), drop("presets", preset));
    for (const name of Object.keys(values as Data))
      yield case_(
        `no preset ${preset} ${name}`,
        (t) => unset(t, "presets", preset, name),
        drop("presets", preset, name),
      );
  }
}

/** All edits of a text. */
export function casesOf(text: string): Case[] {
  const data = loaded(text);
  const nodes = Object.entries(data.nodes ?? {}).flatMap(([name, parts], at) => [...ofNode(name, parts as Data, at)]);
  const presets = Object.keys(data.presets ?? {});
  const inputs = Object.entries(data.inputs ?? {}).flatMap(([name, facts]) => [
    ...ofInput(name, facts as Data, presets),
  ]);
  return [...nodes, ...inputs, ...ofCanvas(data), ...ofTheRest(data)];
}

/** Numbers below a bound, the same for the same seed. Ref: mulberry32, T. Ettinger. */
export function drawing(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** The changes that make the same text again of what the changes make of it. */
export function inverse(text: string, changes: readonly Change[]): Change[] {
  let shift = 0;
  return (ordered(changes) ?? []).map(({ from, to, insert }) => {
    const start = from + shift;
    shift += insert.length - (to - from);
    return { from: start, to: start + insert.length, insert: text.slice(from, to) };
  });
}
