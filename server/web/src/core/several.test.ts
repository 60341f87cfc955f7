import { expect, test } from "vitest";
import { axisText, severalOf } from "./several";

test.each([
  ["1, 2, 4", [1, 2, 4], "[1, 2, 4]"],
  [" [0.5, -1] ", [0.5, -1], "[0.5, -1]"],
  ["0..7", "0..7", "0..7"],
  [" 0..1 by 0.25", "0..1 by 0.25", "0..1 by 0.25"],
  ["a red circle, a blue star", ["a red circle", "a blue star"], "[a red circle, a blue star]"],
  ['"one, two", three', ["one, two", "three"], '["one, two", three]'],
  ["true, none", [true, "none"], "[true, none]"],
  ["$seed, 2", ["$seed", 2], "[$seed, 2]"],
  ["seven", ["seven"], "[seven]"],
])("%s", (typed, values, axis) => {
  expect(severalOf(typed)).toEqual(values);
  expect(axisText(typed)).toBe(axis);
});

test.each(["", " ", "[]", "a: b: c", "1, [2, 3]", "{a: 1}", "\"open", "1]\nnodes: {"])("%s are no values", (typed) => {
  expect(severalOf(typed)).toBeNull();
  expect(axisText(typed)).toBeNull();
});
