/** Several values as one types them: `1, 2, 4`, `[1, 2, 4]`, `0..7`, `0..1 by 0.25`. */

import { meant, type Value } from "./graph";
import { parse } from "./tree";
import { type Written, written } from "./written";

const RANGE = /^-?[\d.]+\s*\.\.\s*-?[\d.]+(\s+by\s+-?[\d.]+)?$/;

/** A list as it is typed, without the brackets around it. */
export function withoutBrackets(text: string): string {
  return text.trim().replace(/^\[([^]*)\]$/, "$1");
}

/** The values as `each` has them: a range as it is, others as a list; null where they are none. */
export function severalOf(typed: string): Written | null {
  if (RANGE.test(typed.trim())) return typed.trim();
  const { tree, faults } = parse(`values: [${withoutBrackets(typed)}]\n`);
  const found = tree?.kind === "table" ? tree.entries[0]?.value : null;
  if (faults.length || found?.kind !== "items" || !found.values.length) return null;
  const items = found.values.map((item): Value | null => (item.kind === "leaf" ? meant(item.value) : null));
  return items.every((item) => item !== null) ? items.map(written) : null;
}

/** The values as a command line and a job have them; null where they are none. */
export function axisText(typed: string): string | null {
  const values = severalOf(typed);
  if (values === null) return null;
  return Array.isArray(values) ? `[${withoutBrackets(typed)}]` : String(values);
}
