/** Models to choose from: what is here first, and what the others cost to fetch. */

import { get } from "../api";
import { short } from "../canvas/types";
import { type Choice, pick } from "../dialogs";

export interface ModelRow {
  name: string;
  parts: readonly string[];
  /** The parts that are on this machine. */
  here: readonly string[];
  licence: string;
  bytes: number;
  files: readonly { model: string; bytes: number; here: boolean }[];
}

const partOf = (model: string): string => model.slice(model.lastIndexOf("/") + 1);

/**
 * The bundles of the catalogue, or the single models of all of them. Of those, the ones that are the same part as `like`
 * (the value now, else an example of the type) come before the others.
 */
export function modelChoices(rows: readonly ModelRow[], bundles: boolean, like: string): Choice[] {
  const all = bundles
    ? rows.map((row) => ({ ...row, all: row.parts, model: row.name }))
    : rows.flatMap((row) => row.parts.map((part) => ({ ...row, all: [part], model: `${row.name}/${part}` })));
  const ranked = all.map((one) => {
    const lacking = one.files.filter(({ model, here }) => !here && (bundles || model === one.model));
    const here = one.all.every((part) => one.here.includes(part));
    const cost = `${short(lacking.reduce((sum, file) => sum + file.bytes, 0))}B to fetch`;
    return {
      choice: { key: one.model, label: one.model, detail: `${here ? "here" : cost}, ${one.licence}` },
      rank: 2 * Number(here) + Number(bundles || partOf(one.model) === partOf(like)),
    };
  });
  return ranked.toSorted((a, b) => b.rank - a.rank).map(({ choice }) => choice);
}

/** Let a model be chosen; null where none was. */
export async function chooseModel(label: string, bundles: boolean, like: string): Promise<string | null> {
  const rows = await get<ModelRow[]>("models");
  return (await pick(label, modelChoices(rows, bundles, like)))?.key ?? null;
}
