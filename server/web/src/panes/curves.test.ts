import { describe, expect, it } from "vitest";
import type { Metric } from "../api";
import { curveOf, digits, namesOf, nearest } from "./curves";

const rows: Metric[] = [
  { job: "j", node: "n", step: 10, loss: 1, "learning rate": 0.1 },
  { job: "j", node: "n", step: 20, loss: 0.1 },
  { job: "j", node: "n", step: 30, loss: 0.01, "learning rate": 0.2 },
];

describe("curves of a training", () => {
  it("are of the numbers alone", () => {
    expect(namesOf(rows)).toEqual(["loss", "learning rate"]);
    expect(curveOf(rows, "learning rate", false).rows).toEqual([
      { step: 10, value: 0.1 },
      { step: 30, value: 0.2 },
    ]);
  });

  it("fill their chart, by the logarithm where all are positive", () => {
    const heights = (log: boolean) => curveOf(rows, "loss", log).points.map(([, y]) => Number(y.toFixed(3)));
    expect(heights(false)).toEqual([1, 0.091, 0]);
    expect(heights(true)).toEqual([1, 0.5, 0]);
    const below = [...rows, { step: 40, loss: -1 }];
    expect(curveOf(below, "loss", true).points.at(-1)).toEqual([1, 0]);
    expect(curveOf(below, "loss", true).points).toEqual(curveOf(below, "loss", false).points);
    expect(curveOf([{ step: 1, loss: 2 }], "loss", true).points).toEqual([[0.5, 0.5]]);
    expect(curveOf([], "loss", true).points).toEqual([]);
  });

  it("take points evenly where there are many, the last among them", () => {
    const many = Array.from({ length: 1_001 }, (_, step) => ({ step, loss: step }));
    const { rows } = curveOf(many, "loss", false, 100);
    expect(rows.length).toBeLessThanOrEqual(100);
    expect(rows.at(-1)!.step).toBe(1_000);
    expect(new Set(rows.slice(1).map((row, n) => row.step - rows[n]!.step)).size).toBe(1);
  });

  it("are read off", () => {
    expect(nearest(curveOf(rows, "loss", false), 0.4)).toBe(1);
    expect([0.0123456, 0.00001234, 1234567, 0, 3].map(digits)).toEqual(["0.01235", "1.2e-5", "1.2e6", "0", "3"]);
  });
});
