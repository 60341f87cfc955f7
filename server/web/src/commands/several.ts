/** Several values in the place of one: a node takes them in turn, a run is a sweep over them. */

import * as edits from "../core/edits";
import { type Value, meant } from "../core/graph";
import { parse } from "../core/tree";
import { type Written, written } from "../core/written";
import { askFor, pick } from "../dialogs";
import type { Session } from "../document/session";
import type { Choice } from "../Picker";
import { page, say, usePage } from "../store";
import { shown } from "../canvas/types";
import { chosen, graph } from "./selection";

const HINT = "1, 2, 4 or 0..7 or 0..1 by 0.25";
const RANGE = /^\s*-?[\d.]+\s*\.\.\s*-?[\d.]+(\s+by\s+-?[\d.]+)?\s*$/;

/** Values as they were typed, as a file says them: a range as it is, `a, b` as a list; null where they are none. */
export function severalOf(typed: string): Written | null {
  if (RANGE.test(typed)) return typed.trim();
  const { tree, faults } = parse(`values: [${typed.trim().replace(/^\[([^]*)\]$/, "$1")}]\n`);
  const found = tree?.kind === "table" ? tree.entries[0]?.value : null;
  if (faults.length || found?.kind !== "items" || !found.values.length) return null;
  const items = found.values.map((item): Value | null => (item.kind === "leaf" ? meant(item.value) : null));
  return items.every((item) => item !== null) ? items.map(written) : null;
}

/** Ask for the values that a port of a node takes in turn. */
export async function severalAt(session: Session, node: string, port: string): Promise<void> {
  const found = graph().nodes.get(node);
  const axis = found?.each.find((one) => one.names.includes(port));
  if (axis && axis.names.length > 1) return say(`${port} takes its values together with others: change them in the text`);
  const value = axis?.values ?? found?.ports.get(port);
  const typed = await askFor(`values of ${node}.${port}, in turn: ${HINT}`, value ? shown(value).replace(/^\[|\]$/g, "") : "");
  if (!typed) return;
  const values = severalOf(typed);
  if (!values) return say(`these are no values: write ${HINT}`);
  session.edit([
    ...(found?.ports.has(port) ? [(text: string) => edits.unsetPort(text, node, port)] : []),
    (text: string) => edits.setEach(text, node, port, values),
  ]);
}

/** Ask for the values over which the next run sweeps. */
export async function severalOfInput(name: string): Promise<void> {
  const { each, values } = page();
  const now = values[name] ?? graph().inputs.get(name)?.default;
  const one = typeof now === "object" && now && "kind" in now ? shown(now as Value) : String(now ?? "");
  const typed = await askFor(`values of ${name}, for a sweep: ${HINT}`, each[name]?.replace(/^\[|\]$/g, "") ?? one);
  if (!typed) return;
  const range = RANGE.test(typed);
  if (!severalOf(typed)) return say(`these are no values: write ${HINT}`);
  usePage.setState((old) => ({ each: { ...old.each, [name]: range ? typed.trim() : `[${typed.trim().replace(/^\[([^]*)\]$/, "$1")}]` } }));
}

/** Let an input have one value again. */
export function oneOfInput(name: string): void {
  usePage.setState(({ each: { [name]: _, ...each } }) => ({ each }));
}

/** Offer what may have several values: the ports of the selected node, else the inputs of the graph. */
export async function several(session: Session): Promise<void> {
  const node = graph().nodes.get(chosen());
  if (graph().inputs.has(chosen())) return severalOfInput(chosen());
  const ports = node && page().catalogue!.nodes.get(node.type)?.inputs;
  const rows: Choice[] = ports
    ? ports.map(({ name, type }) => ({ key: name, label: name, detail: type }))
    : [...graph().inputs.values()].map(({ name, type }) => ({ key: name, label: name, detail: type }));
  const choice = await pick(node ? `several values for which port of ${node.name}` : "several values for which input", rows);
  if (choice) await (node ? severalAt(session, node.name, choice.key) : severalOfInput(choice.key));
}
