/** To what one looks for: a box by its name, type or values; the graph that a node is made of. */

import { outputId, words } from "../canvas/flow";
import { colourOf, shown } from "../canvas/types";
import { typeOfRef } from "../canvas/typing";
import { centre } from "../canvas/view";
import { inOrder } from "../core/wires";
import { type Choice, pick } from "../dialogs";
import { page, usePage } from "../store";
import type { Open } from "./files";
import { chosen, graph } from "./selection";

/** Offer all boxes in the order in which they run; the one that is chosen is selected and brought into the middle. */
export async function finding(): Promise<void> {
  const { inputs, outputs } = graph();
  const colour = (name: string) => colourOf(page().catalogue!, typeOfRef(graph(), page().catalogue!, name, null));
  const rows: Choice[] = [
    ...[...inputs.values()].map(({ name, type, help }) => ({
      key: name,
      label: name,
      detail: `input, ${type}`,
      words: help,
      colour: colour(name),
    })),
    ...inOrder(graph()).map(({ name, type, note, ports }) => ({
      key: name,
      label: name,
      detail: [words(type), ...[...ports].map(([port, value]) => `${port} ${shown(value)}`)].join(", "),
      words: `${type} ${note}`,
      colour: colour(name),
    })),
    ...[...outputs.keys()].map((name) => ({ key: outputId(name), label: name, detail: "output" })),
  ];
  const choice = await pick("find a node by name, type or value", rows);
  if (!choice) return;
  usePage.setState({ selected: [choice.key] });
  centre([choice.key]);
}

/** The path of the graph that the selected node is made of; empty where it is of no graph. */
export function innerPath(): string {
  const { catalogue, document } = page();
  const type = graph().nodes.get(chosen())?.type ?? "";
  if (catalogue?.nodes.get(type)?.composite) return type;
  if (!type.endsWith(".yaml")) return "";
  const parts = document!.path.split("/").slice(0, -1);
  for (const part of type.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  const path = parts.join("/");
  return document!.shipped ? path.replace(/\.yaml$/, "") : path;
}

/** Open the graph that the selected node is made of, with a way back. */
export function openInner(open: Open): void {
  const { document, values, trail } = page();
  const [path, here] = [innerPath(), { path: document!.path, node: chosen(), values }];
  if (path) void Promise.resolve(open(path)).then(() => usePage.setState({ trail: [...trail, here] }));
}

/** Go back to a graph from which this one was opened. */
export function back(open: Open, steps = 1): void {
  const { trail } = page();
  const to = trail.at(-steps);
  if (!to) return;
  void Promise.resolve(open(to.path, to.values)).then(() =>
    usePage.setState({ trail: trail.slice(0, -steps), selected: [to.node] }),
  );
}
