import { describe, expect, it } from "vitest";
import type { Cell } from "../api";
import { cellAt, outputsOf, pictureOf, rowWorded, valuesWorded, worded } from "./cells";

const axis = (name: string, ...values: unknown[]) => ({ names: [name], rows: values.map((value) => [value]) });

describe("cells of a sweep", () => {
  it("lie as the engine counts them: the first axis changes slowest", () => {
    const axes = [axis("a", 1, 2), axis("b", 1, 2, 3), axis("c", 1, 2)];
    const all = [0, 1].flatMap((a) => [0, 1, 2].flatMap((b) => [0, 1].map((c) => cellAt([a, b, c], axes))));
    expect(all).toEqual([...Array(12).keys()]);
    expect(cellAt([1], axes.slice(0, 1))).toBe(1);
    expect(cellAt([1, 2], axes)).toBe(10);
  });

  it("say their values in few words", () => {
    expect(rowWorded(["a cat", 7])).toBe("a cat, 7");
    expect(valuesWorded({ guidance: 4, sizes: [1, 2], on: true, none: null })).toBe(
      "guidance 4, sizes [1,2], on true, none null",
    );
    expect(worded(`/var/files/ab/${"ab".repeat(4)}.png`)).toBe("abababab.png");
    expect(worded("x".repeat(50))).toHaveLength(40);
  });

  it("show the first picture of an output", () => {
    const picture = { file: "1", name: "a.png", media: "image/png", bytes: 1 };
    const cell = (outputs: Cell["outputs"]): Cell => ({ id: "", cell: 0, values: {}, state: "done", outputs, message: "" });
    const cells = [cell({}), cell({ score: [0.5], image: [picture, picture] })];
    expect(outputsOf(cells)).toEqual(["score", "image"]);
    expect(pictureOf(cells[1]!, "image")).toBe(picture);
    expect(pictureOf(cells[1]!, "score")).toBeUndefined();
    expect(pictureOf(cells[0]!, "image")).toBeUndefined();
  });
});
