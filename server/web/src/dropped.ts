/** A file that was dropped on the page. */

import { ask, Problem, upload } from "./api";
import type { Open } from "./commands/files";
import { draftOf } from "./document/session";
import { giveInput, page, say, tell } from "./store";

interface Found {
  name: string;
  text: string;
  inputs: Record<string, unknown>;
}

/** A picture of ours or a text opens its graph, another picture becomes an input. */
export async function take(file: File, open: Open): Promise<void> {
  try {
    const name = /^(.*)\.ya?ml$/.exec(file.name)?.[1];
    if (name !== undefined) return void open(await draftOf(name, await file.text()));
    const graph = await graphOf(file);
    if (graph) open(await draftOf(graph.name, graph.text), graph.inputs);
    else await toInput(file);
  } catch (problem) {
    tell(problem as Error);
  }
}

/** The graph that a picture tells, with the values it was made with; null where it tells none. */
async function graphOf(file: File): Promise<Found | null> {
  try {
    return (await ask<Found>("POST", "picture", file)).found;
  } catch (problem) {
    if (problem instanceof Problem && problem.type === "no-graph") return null;
    throw problem;
  }
}

async function toInput(file: File): Promise<void> {
  const inputs = [...page().document!.read.graph.inputs.values()];
  const input = inputs.find((one) => one.type === "Image");
  if (!input) return say("this picture tells no graph, and this graph takes no picture");
  giveInput(input.name, { file: (await upload(file)).file });
}
