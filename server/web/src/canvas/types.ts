/** The look of port types, and short words for what the server measured. */

import type { NodeSpec, PlannedNode } from "../api";
import type { Graph, Value } from "../core/graph";
import { refText } from "../core/written";
import type { Catalogue } from "../store";
import { topOf } from "../judging";

const PLAIN: Readonly<Record<string, string>> = { int: "#8ecae6", float: "#60a5fa", bool: "#9aa0a6", str: "#f2c14e" };

/** The name by which a type is coloured: `Denoiser` of `Denoiser[Image]`, `Seed` of `Seed | list[Seed]`. */
export function baseOf(type: string): string {
  return /^(?:list\[)?([A-Za-z]+)/.exec(type)?.[1] ?? type;
}

export function colourOf(catalogue: Catalogue, type: string): string {
  const base = baseOf(type);
  return catalogue.ports.get(base)?.colour ?? PLAIN[base] ?? "#9aa0a6";
}

export function shapeOf(catalogue: Catalogue, type: string): string {
  return catalogue.ports.get(baseOf(type))?.shape ?? "circle";
}

/** What a value looks like in a row of a node. */
export function shown(value: Value): string {
  if (value.kind === "ref") return refText(value);
  if (value.kind === "list") return `[${value.items.map(shown).join(", ")}]`;
  return value.value === null ? "none" : String(value.value);
}

/** `1 × 3 × 64 × 64` of `float32[1, 3, 64, 64] on meta`. */
export function dimensions(described: string): string {
  return /\[(\d+(?:, \d+)*)\]/.exec(described)?.[1]?.replaceAll(", ", "×") ?? "";
}

const UNITS = ["", " k", " M", " G", " T", " P"];

/** A count in three digits: `61.3 G`. */
export function short(count: number): string {
  let power = 0;
  let left = count;
  while (left >= 1_000 && power < UNITS.length - 1) [left, power] = [left / 1_000, power + 1];
  return `${left >= 100 || power === 0 ? Math.round(left) : left.toFixed(1)}${UNITS[power]}`;
}

export interface Cost {
  flops: number;
  memory: number;
  /** What a run would do: `kept` where nothing of it runs. */
  state: "runs" | "kept" | "skipped" | "live";
  reason: string;
  outputs: readonly string[];
  /** What runs of it, with what its result is kept under. */
  runs: readonly (readonly [node: string, key: string])[];
}

/** What was planned for each node of this graph; nodes within one are taken together. */
export function costs(planned: readonly PlannedNode[]): Map<string, Cost> {
  const found = new Map<string, Cost>();
  for (const step of planned) {
    const name = topOf(step.node);
    const before = found.get(name);
    const state = { run: "runs", rebuild: "live", skip: "skipped", memory: "kept", disk: "kept" }[
      step.action
    ] as Cost["state"];
    found.set(name, {
      flops: (before?.flops ?? 0) + step.flops,
      memory: Math.max(before?.memory ?? 0, step.memory),
      state: before && rank(before.state) > rank(state) ? before.state : state,
      reason: step.reason,
      outputs: step.outputs,
      runs: [...(before?.runs ?? []), ...(step.action === "run" ? [[step.node, step.key] as const] : [])],
    });
  }
  return found;
}

function rank(state: Cost["state"]): number {
  return ["skipped", "live", "kept", "runs"].indexOf(state);
}

/** The ports that a node shows: what is wired or written, and what must be. */
export function rowsOf(
  graph: Graph,
  name: string,
  spec: NodeSpec | undefined,
): { name: string; type: string; required: boolean; doc: string }[] {
  const node = graph.nodes.get(name);
  if (!node) return [];
  const swept = node.each.flatMap((axis) => axis.names);
  const has = (port: string) => node.ports.has(port) || swept.includes(port);
  const known = spec?.inputs ?? [];
  const own = known
    .filter((port) => port.required || has(port.name))
    .map(({ name, type, required, doc }) => ({ name, type, required, doc }));
  const other = [...node.ports.keys(), ...swept].filter((port) => !known.some((one) => one.name === port));
  return [...own, ...other.map((port) => ({ name: port, type: "", required: false, doc: "" }))];
}
