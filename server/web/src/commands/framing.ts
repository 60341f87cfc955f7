/** What keeps a large graph readable: frames around boxes, boxes that are closed, notes. */

import { frameId, nameOf } from "../canvas/flow";
import * as edits from "../core/edits";
import { askFor } from "../dialogs";
import type { Session } from "../document/session";
import { close, page, say, usePage } from "../store";
import { chosen, graph } from "./selection";

const members = (): string[] => page().selected.filter((id) => graph().nodes.has(id) || graph().inputs.has(id));

export const isFrame = (): boolean => chosen().startsWith(frameId(""));
export const isNode = (): boolean => graph().nodes.has(chosen());
export const hasNote = (): boolean => Boolean(graph().nodes.get(chosen())?.note);

/** Draw a frame around what is selected. */
export async function framing(session: Session): Promise<void> {
  const names = members();
  if (!names.length) return say("select the nodes that are to stand in a frame");
  const title = await askFor("title of the frame", "");
  if (!title) return;
  if (graph().frames.has(title)) return say(`there is a frame '${title}' already; choose another title`);
  if (session.edit((text) => edits.setFrame(text, title, names))) usePage.setState({ selected: [frameId(title)] });
}

/** Take the selected frame away; what is in it stays. */
export function dissolve(session: Session): void {
  const title = nameOf(chosen());
  const names = graph().frames.get(title) ?? [];
  if (session.edit((text) => edits.unsetFrame(text, title))) usePage.setState({ selected: names });
}

/** Draw the selected nodes and frames closed, or open again. */
export function closing(): void {
  const ids = page().selected.filter((id) => graph().nodes.has(id) || id.startsWith(frameId("")));
  if (ids.length) close(ids);
}

/** Ask for the note of the selected node. */
export async function noting(session: Session): Promise<void> {
  const name = chosen();
  const note = await askFor(`note on ${name}`, graph().nodes.get(name)?.note ?? "");
  if (note) session.edit((text) => edits.setNote(text, name, note));
}

export function unnote(session: Session): void {
  session.edit((text) => edits.setNote(text, chosen(), ""));
}
