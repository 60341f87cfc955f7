/** Several values in the place of one: a node takes them in turn, a run is a sweep over them. */

import { isFile } from "../api";
import * as edits from "../core/edits";
import { specOf } from "../core/graph";
import { axisText, severalOf, withoutBrackets } from "../core/several";
import { flow, treeOf, type Written, written } from "../core/written";
import { askFor, type Choice, pick } from "../dialogs";
import type { Session } from "../document/session";
import { page, say, usePage } from "../store";
import { chosen, graph } from "./selection";

const HINT = "1, 2, 4 or 0..7 or 0..1 by 0.25";
const asTyped = (value: Written): string => withoutBrackets(flow(treeOf(value)));

/** Ask for the values that a port of a node takes in turn. */
export async function severalAt(session: Session, node: string, port: string): Promise<void> {
  const found = graph().nodes.get(node);
  const axis = found?.each.find((one) => one.names.includes(port));
  if (axis && axis.names.length > 1) return say(`${port} takes its values together with others: change them in the text`);
  const value = axis?.values ?? found?.ports.get(port);
  const typed = await askFor(`values of ${node}.${port}, in turn: ${HINT}`, value ? asTyped(written(value)) : "");
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
  const own = graph().inputs.get(name)?.default;
  const now = values[name] === undefined ? own && written(own) : (values[name] as Written);
  const one = now === undefined || now === null || isFile(now) ? "" : asTyped(now);
  const swept = each[name] === undefined ? one : withoutBrackets(each[name]);
  const typed = await askFor(`values of ${name}, for a sweep: ${HINT}`, swept);
  if (!typed) return;
  const axis = axisText(typed);
  if (!axis) return say(`these are no values: write ${HINT}`);
  usePage.setState((old) => ({ each: { ...old.each, [name]: axis } }));
}

/** Let an input have one value again. */
export function oneOfInput(name: string): void {
  usePage.setState(({ each: { [name]: _, ...each } }) => ({ each }));
}

/** Offer what may have several values: the ports of the selected node, else the inputs of the graph. */
export async function several(session: Session): Promise<void> {
  const node = graph().nodes.get(chosen());
  if (graph().inputs.has(chosen())) return severalOfInput(chosen());
  const ports = node && specOf(graph(), page().catalogue!, node.name)?.inputs;
  const all = [...(ports ?? graph().inputs.values())];
  const rows = all.map(({ name, type }): Choice => ({ key: name, label: name, detail: type }));
  const choice = await pick(node ? `several values for which port of ${node.name}` : "several values for which input", rows);
  if (choice) await (node ? severalAt(session, node.name, choice.key) : severalOfInput(choice.key));
}
