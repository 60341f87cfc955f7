/** What is filled into the form of a graph: no part of its text, it is kept in the browser, by graph, for when the page is loaded anew. */

import { usePage } from "./store";

type Filled = Pick<ReturnType<typeof usePage.getState>, "values" | "preset" | "each">;
const NOTHING: Filled = { values: {}, preset: "", each: {} };
const KEPT = "nodegraph.filled.";

/** What was filled in for a graph. */
export function filled(path: string): Filled {
  const found: unknown = JSON.parse(localStorage.getItem(KEPT + path) ?? "null");
  return found && typeof found === "object" ? { ...NOTHING, ...found } : NOTHING;
}

/** Keep what is filled in from now on, also where the graph gets another path; gives what ends it. */
export const keepFilled = (): (() => void) =>
  usePage.subscribe((now, before) => {
    const path = now.document?.path;
    const { values, preset, each } = now;
    const same = values === before.values && preset === before.preset && each === before.each;
    if (!path || (same && path === before.document?.path)) return;
    const nothing = !preset && !Object.keys({ ...values, ...each }).length;
    if (nothing) localStorage.removeItem(KEPT + path);
    else localStorage.setItem(KEPT + path, JSON.stringify({ values, preset, each }));
  });
