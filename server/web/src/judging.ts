/** What the server says of the text: its faults at each pause, then shapes, cost and what would run. */

import { type Check, type Diagnostic, post, Problem } from "./api";
import { Refused } from "./core/edits";
import { same } from "./core/sharing";
import { applied } from "./core/text";
import type { Making } from "./document/session";
import { page, type Judged, usePage } from "./store";

const PAUSE = 250;
let timer: ReturnType<typeof setTimeout> | undefined;
let newest = 0;

/** Check the open document when it has not changed for a moment. */
export function judgeSoon(pause = PAUSE): void {
  clearTimeout(timer);
  timer = setTimeout(() => void judge(), pause);
}

const atOnce = (): void => judgeSoon(0);

async function judge(): Promise<void> {
  const { document } = page();
  if (!document) return;
  // What nobody looks at is not checked: a browser has few connections to a host, and another tab may want to save.
  if (globalThis.document.hidden) return globalThis.document.addEventListener("visibilitychange", atOnce, { once: true });
  const version = ++newest;
  const asked = { path: document.path, text: document.text, version, ...given() };
  try {
    const found = await post<Check>("check", { ...asked, level: "types" });
    if (version !== newest) return;
    keep({ diagnostics: found.diagnostics, message: "" });
    if (found.diagnostics.some((fault) => fault.severity === "error")) return keep({ planned: [], missing: [], stale: false });
    const shapes = await post<Check>("check", { ...asked, level: "shapes" });
    if (version === newest) keep({ diagnostics: shapes.diagnostics, planned: shapes.nodes, missing: shapes.missing ?? [], stale: false });
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    if (version !== newest || problem.type === "superseded") return;
    if (problem.status === 0 || problem.status === 503) judgeSoon(2_000);
    keep({ message: problem.message, ...(problem.diagnostics.length ? { diagnostics: problem.diagnostics } : {}) });
  }
}

/** What a run of the open graph is given: values of inputs that it has, and a preset. */
export function given(): { inputs: Record<string, unknown>; preset?: string } {
  const { document, values, preset } = page();
  const known = document!.read.graph.inputs;
  const inputs = Object.fromEntries(Object.entries(values).filter(([name]) => known.has(name)));
  return { inputs, ...(preset ? { preset } : {}) };
}

/** Why an edit would make the graph worse, as the engine says it, with shapes; empty where it would not, null where that is not known. */
export async function refusalOf(text: string, make: Making): Promise<string | null> {
  const { document, judged } = page();
  if (!document) return null;
  const known = new Set(judged.diagnostics.map((fault) => `${fault.node} ${fault.message}`));
  const asked = { path: document.path, level: "shapes", version: ++newest, ...given() };
  try {
    const found = await post<Check>("check", { ...asked, text: applied(text, make(text)) });
    const worse = found.diagnostics.find(
      (fault) => fault.severity === "error" && !known.has(`${fault.node} ${fault.message}`),
    );
    return worse ? worse.message : "";
  } catch (problem) {
    if (problem instanceof Problem || problem instanceof Refused) return null;
    throw problem;
  }
}

/** Take what was found; what says the same as before stays the same object, and is not drawn anew. */
function keep(changes: Partial<Judged>): void {
  const { judged } = page();
  const fresh = Object.entries(changes).filter(([key, value]) => !same(judged[key as keyof Judged], value));
  if (fresh.length) usePage.setState({ judged: { ...judged, ...Object.fromEntries(fresh) } });
}

const grouped = new WeakMap<readonly Diagnostic[], ReadonlyMap<string, readonly Diagnostic[]>>();

/** The faults of a node or input, as the canvas names it. */
export function faultsOf(all: readonly Diagnostic[], name: string): readonly Diagnostic[] {
  const known = grouped.get(all);
  if (known) return known.get(name) ?? NONE;
  const found = new Map<string, Diagnostic[]>();
  for (const fault of all) {
    const mine = found.get(topOf(fault.node ?? ""));
    if (mine) mine.push(fault);
    else found.set(topOf(fault.node ?? ""), [fault]);
  }
  grouped.set(all, found);
  return found.get(name) ?? NONE;
}
const NONE: readonly Diagnostic[] = [];

/** The node of this graph that a node within it belongs to: `large/small` is in `large`, `points[3]` in `points`. */
export function topOf(name: string): string {
  return /^[^/[.]*/.exec(name)?.[0] ?? name;
}
