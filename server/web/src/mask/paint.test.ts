import { describe, expect, test } from "vitest";
import { type Brush, LONGEST, Mask, resized, sizeFor } from "./paint";

const BRUSH: Brush = { radius: 2, feather: 0, erase: false };
const dab = (mask: Mask, x: number, y: number, brush = BRUSH) => {
  mask.begin();
  mask.line({ x, y }, { x, y }, brush);
  mask.end();
};
const rows = (mask: Mask) =>
  Array.from({ length: mask.height }, (_, y) =>
    [...mask.values.subarray(y * mask.width, (y + 1) * mask.width)]
      .map((v) => (v === 255 ? "#" : v ? "+" : "."))
      .join(""),
  );

describe("a brush", () => {
  test("is round, and sharp without a feather", () => {
    const mask = new Mask(6, 6);
    dab(mask, 3, 3);
    expect(rows(mask)).toEqual(["......", "..##..", ".####.", ".####.", "..##..", "......"]);
  });
  test("draws between two places without holes", () => {
    const mask = new Mask(8, 3);
    mask.line({ x: 1, y: 1.5 }, { x: 7, y: 1.5 }, { ...BRUSH, radius: 0.75 });
    expect(rows(mask)).toEqual(["........", "########", "........"]);
  });
  test("of one pixel paints the pixel that it points at", () => {
    for (const x of [2, 2.5, 2.99]) {
      const mask = new Mask(5, 5);
      dab(mask, x, 2.5, { ...BRUSH, radius: 0.5 });
      expect(mask.values[2 * 5 + 2]).toBe(255);
    }
  });
  test("falls off over its feather, and going over it again changes nothing", () => {
    const mask = new Mask(9, 1);
    const soft = { ...BRUSH, radius: 4, feather: 1 };
    dab(mask, 4.5, 0.5, soft);
    const once = [...mask.values];
    expect(once).toEqual([0, 64, 128, 191, 255, 191, 128, 64, 0]);
    dab(mask, 4.5, 0.5, soft);
    expect([...mask.values]).toEqual(once);
  });
  test("erases what was painted, and only there", () => {
    const mask = new Mask(8, 8);
    mask.change(() => 255);
    dab(mask, 2, 2, { ...BRUSH, erase: true });
    expect(mask.values[2 * 8 + 2]).toBe(0);
    expect(mask.values[7 * 8 + 7]).toBe(255);
  });
  test("outside of the picture paints nothing, and is no step", () => {
    const mask = new Mask(4, 4);
    dab(mask, -9, 2);
    expect(mask.canUndo).toBe(false);
    dab(mask, -1, 2);
    expect(mask.canUndo).toBe(true);
  });
  test("grows and shrinks by a pixel at least, between one pixel and the most", () => {
    expect([resized(1, true, 99), resized(2, false, 99), resized(1, false, 99)]).toEqual([2, 1, 1]);
    expect([resized(40, true, 99), resized(50, false, 99), resized(90, true, 99)]).toEqual([50, 40, 99]);
  });
});

describe("the history", () => {
  test("takes back strokes, inversions and clearings to the same bytes, and makes them again", () => {
    const mask = new Mask(16, 12);
    const seen = [mask.values.slice()];
    const deeds = [
      () => dab(mask, 4, 4),
      () => dab(mask, 12, 9, { radius: 5, feather: 0.5, erase: false }),
      () => mask.change((value) => 255 - value),
      () => dab(mask, 8, 6, { radius: 3, feather: 0.3, erase: true }),
      () => mask.change(() => 0),
    ];
    for (const deed of deeds) {
      deed();
      seen.push(mask.values.slice());
    }
    for (let n = deeds.length - 1; n >= 0; n--) {
      expect(mask.undo()).not.toBeNull();
      expect(mask.values).toEqual(seen[n]);
    }
    expect(mask.undo()).toBeNull();
    for (let n = 1; n <= deeds.length; n++) {
      mask.redo();
      expect(mask.values).toEqual(seen[n]);
    }
  });
  test("forgets what was undone when one paints on", () => {
    const mask = new Mask(8, 8);
    dab(mask, 2, 2);
    mask.undo();
    dab(mask, 6, 6);
    expect(mask.canRedo).toBe(false);
  });
  test("holds no stroke that a second finger broke off", () => {
    const mask = new Mask(8, 8);
    mask.begin();
    mask.line({ x: 2, y: 2 }, { x: 6, y: 6 }, BRUSH);
    expect(mask.dropStroke()).not.toBeNull();
    expect(mask.share).toBe(0);
    expect(mask.canUndo).toBe(false);
  });
});

test("a file says it the other way round: white is known; and is read again as it was painted", () => {
  const mask = new Mask(6, 6);
  dab(mask, 3, 3, { radius: 3, feather: 0.7, erase: false });
  const file = mask.toFile();
  expect([...file.subarray(0, 4)]).toEqual([255, 255, 255, 255]);
  const middle = (3 * 6 + 3) * 4;
  expect([...file.subarray(middle, middle + 4)]).toEqual([0, 0, 0, 255]);
  const again = new Mask(6, 6);
  again.fromFile(file);
  expect(again.values).toEqual(mask.values);
});

test("a mask has the size of its picture, up to a bound", () => {
  expect(sizeFor(64, 48)).toEqual({ width: 64, height: 48 });
  expect(sizeFor(6_000, 3_000)).toEqual({ width: LONGEST, height: LONGEST / 2 });
  expect(sizeFor(9_000, 1)).toEqual({ width: LONGEST, height: 1 });
});
