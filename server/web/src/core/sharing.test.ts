import { expect, test } from "vitest";
import { readGraph } from "./graph";
import { sharing } from "./sharing";

const TEXT = `graph: 1
inputs: {size: {type: int, default: 8}}
nodes:
  one: {type: shapes_scene, size: $size, each: {caption: [a, b]}}
  two: {type: resize, image: $one, size: 8}
outputs: {image: $two}
layout: {two: [1, 2]}
`;
const read = (text: string) => readGraph(text).graph!;

test("a text that says the same gives the same graph", () => {
  const graph = read(TEXT);
  expect(sharing(graph, read(`# new\n${TEXT.replace("[a, b]", "[a,   b]")}`))).toBe(graph);
});

test("only what changed is another object", () => {
  const graph = read(TEXT);
  const text = TEXT.replace("size: 8}\nout", "size: 9}\nout");
  const now = sharing(graph, read(text));
  expect(now).toEqual(read(text));
  expect(now.nodes.get("one")).toBe(graph.nodes.get("one"));
  expect(now.nodes.get("two")).not.toBe(graph.nodes.get("two"));
  expect(now.inputs).toBe(graph.inputs);
  expect(now.layout).toBe(graph.layout);
});

test.each([
  ["[a, b]", "[a, c]"],
  ["[1, 2]", "[2, 1]"],
  ["image: $one", "image: $size"],
  ["default: 8", "default: 9"],
  ["outputs: {image", "outputs: {picture"],
])("%s is not %s", (from, to) => {
  const graph = read(TEXT);
  const text = TEXT.replace(from, to);
  const now = sharing(graph, read(text));
  expect(now).not.toBe(graph);
  expect(now).toEqual(read(text));
});

test("another order is another graph", () => {
  const lines = TEXT.split("\n");
  [lines[3], lines[4]] = [lines[4]!, lines[3]!];
  const now = sharing(read(TEXT), read(lines.join("\n")));
  expect([...now.nodes.keys()]).toEqual(["two", "one"]);
});
