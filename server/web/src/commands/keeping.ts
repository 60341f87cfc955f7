/** What is done to whole graphs of the workspace: copied, renamed, removed; each with a way back. */

import { ask, type Draft, encoded, get, type GraphFile, type GraphList, post } from "../api";
import { askFor, pick } from "../dialogs";
import type { Open } from "./files";
import { draftOf, fileOf, freePath, writeDraft } from "../document/session";

/** The file of a graph, null where there is none, and its draft: what one has written last. */
interface Kept {
  file: string | null;
  etag: string | null;
  draft: string;
}

async function read(path: string): Promise<Kept> {
  const { text, unsaved } = await get<Draft>(`live/${encoded(path)}`);
  const file = await fileOf(path);
  return { file: file?.text ?? null, etag: file?.etag ?? null, draft: file && !unsaved ? file.text : text };
}

/** Put a graph where there is none: its file, and its draft where that says more. */
async function put(path: string, { file, draft }: Kept): Promise<void> {
  if (file !== null) await ask("PUT", `graphs/${encoded(path)}`, { text: file }, { "if-none-match": "*" });
  if (draft !== file) await writeDraft(path, draft);
}

/** Let a graph be chosen, shipped or one's own, and open a draft of the same text below a name that is free. */
export async function beginFrom(open: Open): Promise<void> {
  const { workspace, shipped } = await get<GraphList>("graphs");
  const rows = [...shipped, ...workspace.map(({ path }) => ({ path, title: path }))];
  const choice = await pick(
    "a copy of",
    rows.map(({ path, title }) => ({ key: path, label: title, detail: path === title ? "yours" : path })),
  );
  if (!choice) return;
  const { draft } = choice.key.endsWith(".yaml") ? await read(choice.key) : await shippedText(choice.key);
  open(await draftOf(choice.key, draft));
}

const shippedText = async (path: string) => ({ draft: (await get<GraphFile>(`graphs/${encoded(path)}`)).text });

/** Write what a graph says now into a file beside it; returns its path. */
export async function copy(path: string): Promise<string> {
  const { draft } = await read(path);
  const folder = path.includes("/") ? path.slice(0, path.lastIndexOf("/") + 1) : "";
  const to = folder + (await freePath(path));
  await put(to, { file: draft, etag: null, draft });
  return to;
}

/** Ask for another name; returns the path from then on, the same where it stays as it is. A draft goes along. */
export async function rename(path: string): Promise<string> {
  const typed = await askFor(`new name of ${path}`, path);
  const to = typed && !typed.endsWith(".yaml") ? `${typed}.yaml` : typed;
  if (!to || to === path) return path;
  const kept = await read(path);
  if (kept.file === null) await ask("PUT", `graphs/${encoded(path)}`, { text: kept.draft }, { "if-none-match": "*" });
  await post(`graphs/${encoded(path)}/rename`, { to });
  if (kept.file !== null && kept.draft !== kept.file) await writeDraft(to, kept.draft);
  return to;
}

/** Remove a graph with its draft; returns what puts both back. */
export async function remove(path: string): Promise<() => Promise<void>> {
  const kept = await read(path);
  if (kept.etag) await ask("DELETE", `graphs/${encoded(path)}`, undefined, { "if-match": kept.etag });
  else await post(`live/${encoded(path)}/discard`);
  return () => put(path, kept);
}
