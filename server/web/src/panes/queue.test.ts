import { expect, it } from "vitest";
import { inPlaceOf, neighbours } from "./queue";

it("moves a waiting job by a place, to the front or behind all, and not beyond", () => {
  const ids = ["a", "b", "c"];
  expect(neighbours(ids, "a")).toEqual({ ArrowDown: "c", End: null });
  expect(neighbours(ids, "b")).toEqual({ ArrowUp: "a", Home: "a", ArrowDown: null, End: null });
  expect(neighbours(ids, "c")).toEqual({ ArrowUp: "b", Home: "a" });
  expect(neighbours(["a"], "a")).toEqual({});
});

it("puts a waiting job into the place of another", () => {
  const ids = ["a", "b", "c"];
  expect(inPlaceOf(ids, "a", "b")).toBe("c");
  expect(inPlaceOf(ids, "a", "c")).toBe(null);
  expect(inPlaceOf(ids, "c", "a")).toBe("a");
});
