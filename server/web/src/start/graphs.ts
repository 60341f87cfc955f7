/** The graphs there are, with what they make. */

import { addressOf, encoded, fileAddress, get, type GraphList, type Job, plainPath } from "../api";

/** What the folders of the shipped graphs are about. */
export const FOLDERS: Readonly<Record<string, string>> = {
  glide: "GLIDE: from texts to pictures",
  guidance: "Guidance: where a sampler is led",
  unclip: "unCLIP: over embeddings of CLIP",
  variations: "Variations and edits",
  ddpm: "Diffusion at its simplest",
  evaluate: "Evaluations",
  train: "Trainings",
};

export interface Graph {
  path: string;
  title: string;
  /** The address of what it makes; empty where nothing is known. */
  picture: string;
  own: boolean;
  draft: boolean;
}

/** All graphs there are, with the newest picture that each made here, or the one that is shipped with it. */
export async function readGraphs(): Promise<Graph[]> {
  const [list, live, { jobs }] = await Promise.all([
    get<GraphList>("graphs"),
    get<{ path: string; unsaved: boolean }[]>("live"),
    get<{ jobs: Job[] }>("jobs?limit=200"),
  ]);
  const made = new Map(jobs.toReversed().map((job) => [plainPath(String(job.asked.graph)), job.thumbnail ?? ""]));
  const drafts = new Set(live.filter((one) => one.unsaved).map((one) => one.path));
  const paths = new Set([...list.workspace.map((one) => one.path), ...drafts]);
  const own = [...paths].toSorted().map((path) => ({
    path,
    title: path,
    picture: made.get(plainPath(path)) ? fileAddress(made.get(plainPath(path))!) : "",
    own: true,
    draft: drafts.has(path),
  }));
  const shipped = list.shipped.map(({ path, title, thumbnail }) => ({
    path,
    title,
    picture: thumbnail ? addressOf(`thumbnails/${encoded(path)}`) : "",
    own: false,
    draft: false,
  }));
  return [...own, ...shipped];
}
