/** What is done to whole texts: kept below another name, gone back to, opened. */

import { ask, encoded, get, type Job } from "../api";
import { askFor, pick } from "../dialogs";
import { draftOf, type Session } from "../document/session";
import type { Choice } from "../Picker";
import { page, say } from "../store";

/** Opens a graph by its path, with values for its inputs. */
export type Open = (path: string, values?: Record<string, unknown>) => unknown;

/** Write the text into a new file, and open that. */
export async function saveAs(session: Session, open: Open): Promise<void> {
  const { path } = page().document!;
  const typed = await askFor("save as", path.endsWith(".yaml") ? path : `${path.split("/").at(-1)}.yaml`);
  if (!typed) return;
  const to = typed.endsWith(".yaml") ? typed : `${typed}.yaml`;
  try {
    await ask("PUT", `graphs/${encoded(to)}`, { text: session.text }, { "if-none-match": "*" });
    open(to, { ...page().values });
  } catch (problem) {
    say((problem as Error).message);
  }
}

/** Go back to one of the last saves; it can be undone. */
export async function revert(session: Session): Promise<void> {
  const saves = await get<{ time: number; text: string }[]>(`graphs/${encoded(session.path)}/saves`);
  const rows = saves.map((one, n): Choice => ({
    key: String(n),
    label: new Date(one.time * 1000).toLocaleString(),
    detail: n === 0 ? "the last save" : `${one.text.split("\n").length} lines`,
  }));
  const choice = await pick("go back to a save", rows);
  if (choice) session.replace(saves[Number(choice.key)]!.text);
}

/** Keep the text as a draft of its own, and open that. */
export async function copyAway(session: Session, open: Open): Promise<void> {
  open(await draftOf(session.path, session.text));
}

/** Open the graph of a run, with the values and seeds that were used. */
export async function openJob(id: string, open: Open): Promise<void> {
  const { text, asked, seeds } = await get<Job>(`jobs/${id}`);
  if (text) open(await draftOf(String(asked.graph ?? "graph"), text), { ...(asked.inputs as object), ...seeds });
}
