import { describe, expect, test } from "vitest";
import { readGraph } from "./graph";
import { graphOfPiece, pieceOf } from "./pieces";
import { FORMS, SHIPPED } from "./testing/shipped";

describe.each(Object.entries(FORMS))("%s", (_, form) => {
  test.each(SHIPPED)("%s: a piece of some nodes says of them what the graph says", (_, plain) => {
    const { graph } = readGraph(form(plain));
    const names = [...graph!.nodes.keys()].filter((_, n) => n % 2 === 0);
    const piece = graphOfPiece(pieceOf(form(plain), names));
    expect([...piece!.nodes.keys()]).toEqual(names);
    for (const name of names) expect(piece!.nodes.get(name)).toEqual(graph!.nodes.get(name));
  });
});

test("a piece is as it was written, with its comments and places", () => {
  const text = "graph: 1\nnodes:\n    one: {type: a}   # first\n    two:\n      type: b\n      # within\n      x: $one\nlayout: {two: [1, 2]}\n";
  expect(pieceOf(text, ["one", "two"])).toBe(
    "nodes:\n  one: {type: a}   # first\n  two:\n    type: b\n    # within\n    x: $one\nlayout:\n  two: [1, 2]\n",
  );
  expect(pieceOf("graph: 1\nnodes: {one: {type: a}, two: {type: b}}\n", ["two"])).toBe("nodes:\n  two: {type: b}\n");
});

test("lines of nodes alone are a piece, and what is none is not", () => {
  expect([...graphOfPiece("one: {type: a}\ntwo: {type: b, x: $one}\n")!.nodes.keys()]).toEqual(["one", "two"]);
  for (const text of ["", "hello", "one: 1", "- a\n- b", "nodes: {}", "a: {type: x", "https://example.org"])
    expect(graphOfPiece(text)).toBeNull();
});
