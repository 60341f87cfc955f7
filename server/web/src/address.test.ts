import { expect, test } from "vitest";
import { hashOf, readAddress } from "./address";

test("an address names a graph and how it is shown", () => {
  expect(readAddress("#/glide/inpaint")).toEqual({ view: "editor", path: "glide/inpaint" });
  expect(readAddress("#/glide/inpaint?app")).toEqual({ view: "app", path: "glide/inpaint" });
  expect(readAddress("#/start")).toEqual({ view: "start", path: "" });
  expect(readAddress("")).toEqual({ view: "editor", path: "" });
});

test.each(["glide/inpaint", "app/a b.yaml", "what?.yaml", "100 %.yaml", "größe/#1.yaml", "start.yaml"])(
  "%s is found again by its address",
  (path) => {
    for (const view of ["editor", "app"] as const) expect(readAddress(hashOf(path, view))).toEqual({ view, path });
  },
);

test("an address that was cut off names something, and breaks nothing", () => {
  expect(readAddress("#/100%")).toEqual({ view: "editor", path: "100%" });
});
