/** Cells of a sweep: which stands where, and how values are said. */

import { type Axis, type Cell, isPicture, type OutFile } from "../api";

/** The number of the cell at a place of each axis; the last one changes fastest. */
export const cellAt = (place: readonly number[], axes: readonly Axis[]): number =>
  axes.reduce((before, { rows }, n) => before * rows.length + (place[n] ?? 0), 0);

/** A value in a few words: of a file its name. */
export function worded(value: unknown): string {
  if (typeof value !== "string") return JSON.stringify(value);
  const name = /^\/.*\/([^/]+)$/.exec(value)?.[1] ?? value;
  return name.length > 40 ? `${name.slice(0, 39)}…` : name;
}

/** The values of an axis at one of its places: `4`, or `a cat, 7` where inputs go together. */
export const rowWorded = (row: readonly unknown[]): string => row.map(worded).join(", ");

/** What varies, and as what: `guidance 4, seed 7`. */
export const valuesWorded = (values: Readonly<Record<string, unknown>>): string =>
  Object.entries(values)
    .map(([name, value]) => `${name} ${worded(value)}`)
    .join(", ");

/** The outputs that some cell has. */
export const outputsOf = (cells: readonly Cell[]): string[] => [
  ...new Set(cells.flatMap(({ outputs }) => Object.keys(outputs))),
];

/** The first picture of an output of a cell. */
export const pictureOf = (cell: Cell, output: string): OutFile | undefined => cell.outputs[output]?.find(isPicture);
