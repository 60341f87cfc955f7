import { describe, expect, test, vi } from "vitest";
import * as edit from "./edits";
import { readGraph } from "./graph";
import { applied, type Change } from "./text";
import kept from "./testing/agreement.json";
import { ANCHORS, NASTY } from "./testing/nasty";
import { type Case, casesOf, comments, drawing, inverse, loaded, trimmed } from "./testing/oracle";
import { FORMS, SHIPPED } from "./testing/shipped";
import { find, parse } from "./tree";

vi.setConfig({ testTimeout: process.env.NODEGRAPH_SOAK ? 3_600_000 : 60_000 });
const SOAK = process.env.NODEGRAPH_SOAK !== undefined;
const SEQUENCES = Number(process.env.NODEGRAPH_SEQUENCES ?? 200);

function isPart(less: readonly string[], more: readonly string[]): boolean {
  const left = [...more];
  return less.every((item) => {
    const found = left.indexOf(item);
    if (found >= 0) left.splice(found, 1);
    return found >= 0;
  });
}

/** What is wrong with an edit; nothing, if it holds every law. */
function broken(text: string, { make, change }: Case): string | null {
  const edits = make(text);
  const after = applied(text, edits);
  const wanted = loaded(text);
  change(wanted);
  const found = loaded(after);
  if (JSON.stringify(sorted(found)) !== JSON.stringify(sorted(trimmed(wanted))))
    return `says something else:\n${after}`;
  if (applied(after, inverse(text, edits)) !== text) return "is not undone";
  if (formOf(text) !== formOf(after) && text.includes("\n")) return `has other line ends:\n${after}`;
  const touched = otherTouched(text, after);
  if (touched) return `changes ${touched} too:\n${after}`;
  const [was, now] = [comments(text), comments(after)];
  const oneLine = edits.every(({ from, to }) => !text.slice(from, to).includes("\n"));
  if (!isPart(now, was) || (oneLine && now.length !== was.length)) return `loses or makes comments:\n${after}`;
  return null;
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, inner]) => [key, sorted(inner)]);
}

function formOf(text: string): string {
  const breaks = new Set(text.match(/\r?\n/g));
  return JSON.stringify([text.startsWith("\ufeff"), [...breaks].sort()]);
}

/** An entry of a section that says what it said, in other characters. */
function otherTouched(text: string, after: string): string | undefined {
  const [before, now] = [parse(text).tree!, parse(after).tree!];
  const [data, changed] = [loaded(text), loaded(after)];
  for (const section of Object.keys(data).filter((key) => typeof data[key] === "object")) {
    for (const [name, value] of Object.entries(data[section])) {
      const [one, other] = [find(before, [section, name]), find(now, [section, name])];
      const same = JSON.stringify(sorted(value)) === JSON.stringify(sorted(changed[section]?.[name]));
      if (same && text.slice(one?.from, one?.to) !== after.slice(other?.from, other?.to)) return `${section}.${name}`;
    }
  }
  return undefined;
}

function some<T>(items: readonly T[], count: number, seed: number): readonly T[] {
  const draw = drawing(seed);
  return items.length <= count || SOAK ? items : Array.from({ length: count }, () => items[draw(items.length)] as T);
}

function failures(text: string, cases: readonly Case[]): string[] {
  return cases.flatMap((one) => {
    try {
      const wrong = broken(text, one);
      return wrong ? [`${one.name} ${wrong}`] : [];
    } catch (error) {
      return [`${one.name}: ${String(error)}`];
    }
  });
}

describe.each(Object.entries(FORMS))("edits of shipped graphs, %s", (form, change) => {
  test.each(SHIPPED)("%s", (name, shipped) => {
    const text = change(shipped);
    expect(failures(text, some(casesOf(text), 6, name.length + form.length))).toEqual([]);
  });
});

describe.each(Object.entries(NASTY))("edits of a nasty graph, %s", (_, nasty) => {
  test.each(["as it is", "BOM, CRLF, no last newline"])("%s", (form) => {
    const text = FORMS[form]?.(nasty) ?? "";
    expect(failures(text, casesOf(text))).toEqual([]);
  });
});

/** What is typed where the text stays readable: a comment on a line of its own, or a letter into a comment. */
function typed(text: string, draw: (below: number) => number): readonly Change[] {
  const line = draw(2) === 0;
  const places = [...text.matchAll(line ? /\n/g : /# /g)].map((found) => found.index + found[0].length);
  const from = places[draw(places.length)] ?? 0;
  const changes = [{ from, to: from, insert: line ? `# typed ${draw(100)}\n` : ["ä", "😀", ":", "x"][draw(4)]! }];
  return places.length && readGraph(applied(text, changes)).graph ? changes : [];
}

function drawn(text: string, draw: (below: number) => number): readonly Change[] {
  if (draw(5) === 0) return typed(text, draw);
  const cases = casesOf(text);
  try {
    return cases[draw(cases.length)]?.make(text) ?? [];
  } catch (error) {
    if (error instanceof edit.Refused && error.message.includes("already")) return [];
    throw error;
  }
}

test(`${SEQUENCES} sequences of 30 edits, undone and redone`, { timeout: 60_000 + SEQUENCES * 1000 }, () => {
  const texts = [...Object.values(NASTY), ...SHIPPED.map(([, text]) => text)];
  for (let number = 0; number < SEQUENCES; number += 1) {
    const draw = drawing(number);
    const text = Object.values(FORMS)[draw(Object.keys(FORMS).length)]?.(texts[draw(texts.length)] ?? "") ?? "";
    const undo: Change[][] = [];
    let now = text;
    for (let step = 0; step < 30; step += 1) {
      const changes = drawn(now, draw);
      undo.push(inverse(now, changes));
      now = applied(now, changes);
    }
    const last = now;
    const redo: Change[][] = [];
    for (const changes of undo.toReversed()) {
      redo.push(inverse(now, changes));
      now = applied(now, changes);
    }
    expect(now).toBe(text);
    for (const changes of redo.toReversed()) now = applied(now, changes);
    expect(now).toBe(last);
  }
});

test("edits of spoiled graphs are right, or refused", () => {
  const texts = kept.texts.map(([text]) => String(text)).filter((text) => readGraph(text).graph?.nodes.size);
  expect(texts.length).toBeGreaterThan(50);
  let [right, refused] = [0, 0];
  for (const text of texts) {
    for (const { make } of casesOf(text)) {
      try {
        const edits = make(text);
        expect(applied(applied(text, edits), inverse(text, edits))).toBe(text);
        right += 1;
      } catch (error) {
        if (!(error instanceof edit.Refused)) throw error;
        refused += 1;
      }
    }
  }
  expect(right).toBeGreaterThan(20 * refused);
});

test("what an anchor reaches is refused", () => {
  for (const make of [
    () => edit.setPort(ANCHORS, "one", "b", "x"),
    () => edit.setPort(ANCHORS, "one", "added", "x"),
    () => edit.setPort(ANCHORS, "two", "b", "x"),
    () => edit.setPort(ANCHORS, "three", "b", "x"),
    () => edit.setPort(ANCHORS, "three", "e", "x"),
    () => edit.removeNode(ANCHORS, "one"),
    () => edit.addInput(ANCHORS, "more", "int"),
  ]) {
    expect(make).toThrow(/line \d+: an anchor/);
  }
  for (const edits of [
    edit.setPort(ANCHORS, "three", "d", 2),
    edit.setPort(ANCHORS, "three", "f", 2),
    edit.renameNode(ANCHORS, "three", "four"),
    edit.addNode(ANCHORS, "four", "a"),
  ]) {
    const after = applied(ANCHORS, edits);
    expect(after).not.toBe(ANCHORS);
    expect(applied(after, inverse(ANCHORS, edits))).toBe(ANCHORS);
  }
});

const SMALL = `graph: 1
inputs:
  seed: {type: Seed}
nodes:
  one:
    type: a
    b: 1
  two: {type: b}
  odd: 3
outputs: {image: $one}`;

test("wires of an input that takes its values in turn", () => {
  const text =
    "nodes:\n  one: {type: a, each: {b: $two, c+d: $three.rows}}  # one\n  two: {type: b}\n  three: {type: c}\n";
  const after = (edits: edit.Edits): string => applied(text, edits).split("\n")[1] ?? "";
  const [two, rows] = [
    { name: "two", port: null },
    { name: "three", port: "rows" },
  ];
  expect(after(edit.connect(text, rows, "one", "b"))).toBe(
    "  one: {type: a, each: {b: $three.rows, c+d: $three.rows}}  # one",
  );
  expect(after(edit.connectToo(text, rows, "one", "b"))).toContain("each: {b: $three.rows, c+d");
  expect(after(edit.disconnect(text, two, "one", "b"))).toBe("  one: {type: a, each: {c+d: $three.rows}}  # one");
  expect(after(edit.disconnect(text, rows, "one", "d"))).toBe("  one: {type: a, each: {b: $two}}  # one");
  expect(() => edit.connect(text, two, "one", "c")).toThrow(
    "'c' of 'one' takes its values in turn together with others: c+d",
  );
});

test.each<[string, () => unknown]>([
  ["there is no node 'onne'", () => edit.setPort(SMALL, "onne", "b", 1)],
  ["there is no input of 'one' 'bb'", () => edit.unsetPort(SMALL, "one", "bb")],
  ["'two' is a node already, in line 8; choose another name", () => edit.addNode(SMALL, "two", "a")],
  ["'seed' is an input already", () => edit.addNode(SMALL, "seed", "a")],
  ["'1st' is not a name", () => edit.addNode(SMALL, "1st", "a")],
  ["'two' is a node already", () => edit.renameNode(SMALL, "one", "two")],
  ["there is no input 'sead'", () => edit.renameInput(SMALL, "sead", "x")],
  ["there is no node or input 'no'", () => edit.connect(SMALL, { name: "no", port: null }, "one", "b")],
  ["nothing on 'b' of 'one' comes from '$two'", () => edit.disconnect(SMALL, { name: "two", port: null }, "one", "b")],
  ["an input has no 'defualt'", () => edit.addInput(SMALL, "size", "int", new Map([["defualt", 1]]))],
  ["'type' is no input of a node", () => edit.setPort(SMALL, "one", "type", "a")],
  ["line 9: node 'odd' is no mapping", () => edit.setPort(SMALL, "odd", "b", 1)],
  ["the text is no graph", () => edit.addNode("- a\n", "a", "b")],
  ["mend the text first, line 1", () => edit.addNode("a: b: c\n", "a", "b")],
  ["'a' stands twice", () => edit.unsetPort(SMALL.replace("b: 1", "a: 1\n    a: $two"), "one", "a")],
])("refused, and says why: %s", (said, make) => {
  expect(make).toThrow(edit.Refused);
  expect(make).toThrow(said);
});

test.each<[string, (text: string) => edit.Edits, string[]]>([
  [
    "a node",
    (t) => edit.removeNode(t, "two"),
    ["# two", "# its type", "# what it takes", "# wired", "# a list", "# first", "# one", "# second"],
  ],
  ["a node in braces", (t) => edit.removeNode(t, "three"), ["# a break", "# more", "# three"]],
  ["a port", (t) => edit.unsetPort(t, "two", "b"), ["# wired"]],
  ["a block list", (t) => edit.setPort(t, "two", "d", 1), ["# first", "# one", "# second"]],
  ["an item", (t) => edit.disconnect(t, { name: "one", port: null }, "two", "d"), ["# one"]],
  ["an input", (t) => edit.removeInput(t, "seed"), ["# {not: a value}"]],
])("only its own comments go with %s", (_, make, lost) => {
  const text = NASTY.COMMENTS ?? "";
  const after = comments(applied(text, make(text)));
  const gone = [...comments(text)];
  for (const comment of after) gone.splice(gone.indexOf(comment), 1);
  expect(gone).toEqual(lost.toSorted());
});
