import { describe, expect, test } from "vitest";
import { type Graph, readGraph } from "./graph";
import { FORMS, SHIPPED } from "./testing/shipped";
import { find, type Items } from "./tree";

function graphIn(text: string): Graph {
  const { graph } = readGraph(text);
  if (!graph) throw new Error("no graph");
  return graph;
}

const SMALL = `graph: 1
title: "A: title"
inputs:
  seed: {type: Seed, default: 18446744073709551616, min: 0, optional: true}
  size: {type: int, default: 64, menu: [64, 128], help: how large}
presets:
  large: {size: 128}
sweeps:
  s: {each: {seed: 0..3, seed+size: [[1, 2]]}}
nodes:
  one: {type: a, b: $seed, c: [$two.out.x, 1e3, $$x], note: about, each: {d: [1, 2]}}
  two:
    type: b # its type
    text: |
      two
      lines

outputs: {image: $one.out}
layout: {one: [1, -2.5]}
frames: {"All: of it": [one, two]}
`;

test("a graph with everything in it", () => {
  const { graph, faults } = readGraph(SMALL);
  expect(faults).toEqual([]);
  expect(graph).toMatchObject({ title: "A: title", description: "" });
  expect(graph?.inputs.get("seed")).toMatchObject({
    default: { value: 18446744073709551616n },
    min: 0,
    optional: true,
  });
  expect(graph?.inputs.get("size")).toMatchObject({ menu: [64, 128], help: "how large", max: null });
  expect(graph?.presets.get("large")).toEqual(new Map([["size", { kind: "value", value: 128 }]]));
  expect(graph?.sweeps.get("s")?.map((axis) => axis.names)).toEqual([["seed"], ["seed", "size"]]);
  const one = graph?.nodes.get("one");
  expect(one).toMatchObject({ type: "a", note: "about", each: [{ names: ["d"] }] });
  expect([...(one?.ports.keys() ?? [])]).toEqual(["b", "c"]);
  expect(one?.ports.get("c")).toEqual({
    kind: "list",
    items: [
      { kind: "ref", name: "two", port: "out.x" },
      { kind: "value", value: 1000 },
      { kind: "value", value: "$x" },
    ],
  });
  expect(graph?.nodes.get("two")?.ports.get("text")).toEqual({ kind: "value", value: "two\nlines\n" });
  expect(graph?.outputs.get("image")).toEqual({ kind: "ref", name: "one", port: "out" });
  expect(graph?.layout.get("one")).toEqual([1, -2.5]);
  expect(graph?.frames.get("All: of it")).toEqual(["one", "two"]);
});

test("every entry knows its place, and every item of a list", () => {
  const { tree } = readGraph(SMALL);
  const entry = (...path: string[]) => find(tree!, path)!;
  const shown = (...path: string[]): string => {
    const { keyFrom, keyTo, value } = entry(...path);
    return `${SMALL.slice(keyFrom, keyTo)}|${SMALL.slice(value.from, value.to)}`;
  };
  const list = entry("nodes", "one", "c").value as Items;
  const [first] = list.values;
  expect(shown("nodes", "two", "type")).toBe("type|b");
  expect(shown("nodes", "two", "text")).toBe("text||\n      two\n      lines");
  expect(SMALL.slice(first?.from, first?.to)).toBe("$two.out.x");
  expect(shown("frames", "All: of it")).toBe('"All: of it"|[one, two]');
});

describe.each(Object.entries(FORMS))("shipped graphs, %s", (_, form) => {
  test.each(SHIPPED)("%s", (_name, shipped) => {
    const text = form(shipped);
    const { graph, faults, tree } = readGraph(text);
    expect(faults).toEqual([]);
    const plain = graphIn(shipped);
    expect({ ...graph, title: "" }).toEqual({ ...plain, title: "" });
    for (const [name, node] of graph?.nodes ?? []) {
      const place = find(tree!, ["nodes", name]);
      expect(text.slice(place?.keyFrom, place?.keyTo)).toContain(name);
      for (const [port, value] of node.ports) {
        const { from, to } = find(tree!, ["nodes", name, port])!.value;
        if (value.kind === "ref") expect(text.slice(from, to)).toContain(`$${value.name}`);
      }
    }
  });
});

test.each([
  ["a: b: c\n", "syntax"],
  ["a: [1, 2\n", "syntax"],
  ["", "structure"],
  ["- a\n", "structure"],
  ["graph: \u0007\n", "syntax"],
  [`a: ${"[".repeat(70)}${"]".repeat(70)}`, "deep"],
  [`a: ${"[".repeat(9000)}`, "deep"],
])("what is no graph is told: %.20j", (text, code) => {
  const { graph, faults } = readGraph(text);
  expect(graph).toBeNull();
  expect(faults.map((fault) => fault.code)).toContain(code);
});

test.each([
  ["nodes: {a: 1}", "must be a mapping with a type"],
  ["nodes: {a: {b: 1}}", "node 'a' needs a type"],
  ["nodes: {a: {type: b, c: {d: 1}}}", "a mapping cannot stand here"],
  ["nodes: [a]", "'nodes' must be a mapping"],
  ["outputs: {a: b}", "must refer to a node"],
  ["layout: {a: 1}", "must be [x, y]"],
  ["frames: {a: 1}", "must be a list of nodes"],
  ["presets: {a: 1}", "must be a mapping of input values"],
  ["nodes: {a: {type: b}, a: {type: c}}", "stands twice"],
  ["nodes: {a: &x {type: b}}", "the anchor '&x' is not part of the format"],
  ["nodes: {a: {type: !x b}}", "the tag '!x' is not part of the format"],
  ["nodes: {a: *x}", "alias"],
  ["nodes: {a: {type: b, <<: 1}}", "merge keys"],
  ["graph: 1\n---\ngraph: 1", "one document"],
])("what is left out is told: %s", (text, said) => {
  const { graph, faults } = readGraph(text);
  expect(graph).not.toBeNull();
  expect(faults.map((fault) => fault.message).join("; ")).toContain(said);
});
