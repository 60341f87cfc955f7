/** The numbers that nodes tell with their steps, as lines of a chart. */

import type { Metric } from "../api";

/** What is told, in the order in which it came first. */
export const namesOf = (rows: readonly Metric[]): string[] => [
  ...new Set(rows.flatMap((row) => Object.keys(row)).filter((name) => !["job", "node", "step"].includes(name))),
];

export interface Curve {
  /** Where the points lie, from 0 to 1: to the right, and up. */
  points: readonly (readonly [number, number])[];
  rows: readonly { step: number; value: number }[];
  low: number;
  high: number;
}

/** A number over the steps; `log` only where all are positive. At most `most` points, evenly taken, the last among them. */
export function curveOf(rows: readonly Metric[], name: string, log: boolean, most = 400): Curve {
  const told = rows.flatMap(({ step, [name]: value }) => (typeof value === "number" ? [{ step, value }] : []));
  const every = Math.ceil(told.length / most) || 1;
  const kept = told.filter((_, n) => (told.length - 1 - n) % every === 0);
  const values = kept.map(({ value }) => value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const rise = (value: number) => (log && low > 0 ? Math.log(value) : value);
  const part = (value: number, from: number, to: number) => (to > from ? (value - from) / (to - from) : 0.5);
  const steps = [kept[0]?.step ?? 0, kept.at(-1)?.step ?? 0] as const;
  const points = kept.map(({ step, value }) => [part(step, ...steps), part(rise(value), rise(low), rise(high))] as const);
  return { points, rows: kept, low, high };
}

/** A number in at most four digits: `0.0123`, `1.2e-5`. */
export function digits(value: number): string {
  const size = Math.abs(value);
  return size > 0 && (size < 1e-3 || size >= 1e5)
    ? value.toExponential(1).replace("e+", "e")
    : String(Number(value.toPrecision(4)));
}

/** The place of the point that is nearest to a part of the width. */
export function nearest(curve: Curve, part: number): number {
  const gaps = curve.points.map(([x]) => Math.abs(x - part));
  return gaps.indexOf(Math.min(...gaps));
}
