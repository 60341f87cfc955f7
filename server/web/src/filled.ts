/** What is filled into the form of a graph: no part of its text, it is kept in the browser, by graph, for when the page is loaded anew. */

import { usePage } from "./store";

type Filled = Pick<ReturnType<typeof usePage.getState>, "values" | "preset" | "sweep" | "each">;
export const UNFILLED: Filled = { values: {}, preset: "", sweep: "", each: {} };
const KEPT = "nodegraph.filled.";

/** What was filled in for a graph. */
export function filled(path: string): Filled {
  const found: unknown = JSON.parse(localStorage.getItem(KEPT + path) ?? "null");
  return found && typeof found === "object" ? { ...UNFILLED, ...found } : UNFILLED;
}

/** Keep what is filled in from now on, also where the graph gets another path; gives what ends it. */
export const keepFilled = (): (() => void) =>
  usePage.subscribe((now, before) => {
    const path = now.document?.path;
    const { values, preset, sweep, each } = now;
    const form: Filled = { values, preset, sweep, each };
    const same = Object.entries(form).every(([key, one]) => one === before[key as keyof Filled]);
    if (!path || (same && path === before.document?.path)) return;
    const nothing = !preset && !sweep && !Object.keys({ ...values, ...each }).length;
    if (nothing) localStorage.removeItem(KEPT + path);
    else localStorage.setItem(KEPT + path, JSON.stringify(form));
  });
