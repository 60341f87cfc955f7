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

/** The frame in which the selected box stands; empty where it stands in none. */
export const frameOf = (): string => [...graph().frames].find(([, names]) => names.includes(chosen()))?.[0] ?? "";

/** Draw a frame around what is selected; where a frame is selected too, put the rest into that. */
export async function framing(session: Session): Promise<void> {
  const names = members();
  if (!names.length) return say("select the nodes that are to stand in a frame");
  const into = page().selected.find((id) => id.startsWith(frameId("")));
  if (into) {
    const all = [...new Set([...(graph().frames.get(nameOf(into)) ?? []), ...names])];
    return void session.edit((text) => edits.setFrame(text, nameOf(into), all));
  }
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

/** Take the selected box out of its frame. */
export function unframing(session: Session): void {
  const title = frameOf();
  session.edit((text) => edits.setFrame(text, title, graph().frames.get(title)!.filter((name) => name !== chosen())));
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
