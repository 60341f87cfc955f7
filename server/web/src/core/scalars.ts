/** Plain scalars by the YAML 1.2 core schema, as the engine reads them: `1e3` is a number, `yes` and `012` are what they look like. */

export type Scalar = string | number | bigint | boolean | null;
export type Sort = "text" | "whole" | "float" | "flag" | "nothing";
/** A scalar's value and its sort: `3` and `3.0` are the same number, and two sorts. Whole numbers no float can hold are bigint. */
export interface Read {
  readonly value: Scalar;
  readonly sort: Sort;
}

const LONGEST = 400;
const LARGEST = 10n ** 300n;
const NULLS = new Set(["", "~", "null", "Null", "NULL"]);
const TRUE = new Set(["true", "True", "TRUE"]);
const FALSE = new Set(["false", "False", "FALSE"]);
const FLOAT = /^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/;

/** What a scalar without quotes says; null where it is a number longer than any that can be meant. */
export function plain(text: string): Read | null {
  if (NULLS.has(text)) return { value: null, sort: "nothing" };
  if (TRUE.has(text) || FALSE.has(text)) return { value: TRUE.has(text), sort: "flag" };
  if (/^[-+]?[0-9]+$/.test(text)) return whole(text.replace(/^[-+]/, ""), text.startsWith("-"));
  if (FLOAT.test(text)) return text.length > LONGEST ? null : float(Number(text));
  if (/^0o[0-7]+$/.test(text) || /^0x[0-9a-fA-F]+$/.test(text)) return whole(text, false);
  if (/^[-+]?\.(inf|Inf|INF)$/.test(text)) return float(text.startsWith("-") ? -Infinity : Infinity);
  return /^\.(nan|NaN|NAN)$/.test(text) ? float(NaN) : { value: text, sort: "text" };
}

function float(value: number): Read {
  return { value, sort: "float" };
}

function whole(digits: string, negative: boolean): Read | null {
  if (digits.length > LONGEST) return null;
  const size = BigInt(digits);
  if (size >= LARGEST) return null;
  const value = negative ? -size : size;
  const small = Number(value);
  return { value: Number.isSafeInteger(small) ? small : value, sort: "whole" };
}

/** Whether it is a number that can be a bound or a place. */
export function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}
