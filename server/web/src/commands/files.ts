/** What is done to whole texts: kept below another name, gone back to, opened. */

import { ask, encoded, get, type Job } from "../api";
import { askFor } from "../dialogs";
import { draftOf, type Session } from "../document/session";
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

/** Open the graph of a run, with the values and seeds that were used. */
export async function openJob(id: string, open: Open): Promise<void> {
  const { text, asked, seeds } = await get<Job>(`jobs/${id}`);
  if (text) open(await draftOf(String(asked.graph ?? "graph"), text), { ...(asked.inputs as object), ...seeds });
}
