import { describe, expect, it } from "vitest";
import { fitted, moved, zoomed } from "./zoom";

const stage = { width: 800, height: 600 };

describe("pictures on a stage", () => {
  it("enlarges small ones by a whole number, and shrinks large ones to what fits, in the middle", () => {
    expect(fitted({ width: 64, height: 64 }, stage)).toEqual({ scale: 9, x: 112, y: 12 });
    expect(fitted({ width: 1600, height: 600 }, stage)).toEqual({ scale: 0.5, x: 0, y: 150 });
    expect(fitted({ width: 1, height: 1 }, stage).scale).toBe(64);
  });

  it("zooms about a point, which stays over the same pixel, within bounds", () => {
    const picture = { width: 64, height: 64 };
    const before = fitted(picture, stage);
    const after = zoomed(before, 2, { x: 300, y: 200 }, picture, stage);
    expect(after.scale).toBe(18);
    expect((300 - after.x) / after.scale).toBeCloseTo((300 - before.x) / before.scale);
    expect((200 - after.y) / after.scale).toBeCloseTo((200 - before.y) / before.scale);
    expect(zoomed(before, 1e9, { x: 0, y: 0 }, picture, stage).scale).toBe(64);
    expect(zoomed(before, 1e-9, { x: 0, y: 0 }, picture, stage).scale).toBe(0.5);
  });

  it("moves a picture, but never out of sight", () => {
    const picture = { width: 64, height: 64 };
    const view = { scale: 1, x: 0, y: 0 };
    expect(moved(view, { x: 5, y: -5 }, picture, stage)).toEqual({ scale: 1, x: 5, y: -5 });
    expect(moved(view, { x: 1e6, y: -1e6 }, picture, stage)).toEqual({ scale: 1, x: 768, y: -32 });
  });
});
