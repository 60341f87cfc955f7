/** Runs of the open graph: asked for, followed as they go, and looked at again. */

import { get, type Job, post, Problem } from "./api";
import type { Happened } from "./events";
import { given, topOf } from "./judging";
import { page, type Progress, say, usePage, useRuns } from "./store";

const BEGUN: Progress = { status: "running", done: 0, total: 0, note: "", preview: null, seconds: null, message: "" };
export const ENDED: readonly string[] = ["done", "failed", "cancelled", "interrupted"];

/** Run the open document, or what a node of it needs. */
export async function run(until: string | null = null): Promise<void> {
  const { document } = page();
  if (!document) return;
  if (!document.readable) return say("the text cannot be read: mend it first");
  const swept = Object.entries(page().each).filter(([name]) => document.read.graph.inputs.has(name));
  const each = swept.length && !until ? { each: Object.fromEntries(swept) } : {};
  const asked = { graph: document.path, text: document.text, ...given(), ...each, ...(until ? { until } : {}) };
  try {
    const job = await post<Job>("jobs", asked);
    useRuns.setState({ job, nodes: {}, outputs: {}, fetched: {} });
    await list();
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    const first = problem.diagnostics.find((fault) => fault.severity === "error");
    say(first ? first.message : problem.message);
    if (problem.diagnostics.length)
      usePage.setState((old) => ({ judged: { ...old.judged, diagnostics: problem.diagnostics } }));
  }
}

export const cancel = (id: string): Promise<unknown> => told(post(`jobs/${id}/cancel`));
export const retry = (id: string): Promise<unknown> => told(post(`jobs/${id}/retry`));
export const first = (id: string, before: string): Promise<unknown> => told(post(`jobs/${id}/move`, { before }));
export const pause = (paused: boolean): Promise<unknown> =>
  told(post(`queue/${paused ? "pause" : "resume"}`).then(list));

/** Wait for an answer; a refusal is told. */
async function told(asked: Promise<unknown>): Promise<void> {
  try {
    await asked;
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    say(problem.message);
  }
}

/** Read the newest jobs. */
export async function list(): Promise<void> {
  const found = await get<{ jobs: Job[]; paused: boolean }>("jobs?limit=60");
  const job = useRuns.getState().job;
  const now = job && found.jobs.find((one) => one.id === job.id);
  useRuns.setState({
    listed: found.jobs.filter((one) => one.kind !== "get"),
    paused: found.paused,
    ...(now ? { job: { ...job, ...now } } : {}),
  });
}

/** Show a job with its nodes and outputs, as it is now. */
export async function show(id: string): Promise<Job> {
  const job = await get<Job>(`jobs/${id}`);
  const nodes: Record<string, Progress> = {};
  for (const [name, { status, seconds }] of Object.entries(job.nodes ?? {})) {
    if (status)
      nodes[topOf(name)] = {
        ...BEGUN,
        status: status as Progress["status"],
        seconds: (nodes[topOf(name)]?.seconds ?? 0) + (seconds ?? 0),
      };
  }
  useRuns.setState({ job, nodes, outputs: job.outputs });
  return job;
}

let listing: ReturnType<typeof setTimeout> | undefined;

/** Take an event of the stream. */
export function heard({ name, data }: Happened): void {
  if (name.startsWith("job.")) {
    clearTimeout(listing);
    listing = setTimeout(() => void list().catch(() => undefined), 150);
  }
  if (data.job in useRuns.getState().fetched) fetching(name, data);
  if (data.job !== useRuns.getState().job?.id) return;
  if (name === "output") output(data.name, data.value);
  else if (name.startsWith("node.") && data.node) progress(name.slice(5), topOf(data.node), data);
  else if (name === "job.done" || name === "job.failed" || name === "job.cancelled" || name === "job.interrupted")
    ended(name.slice(4), data);
}

function output(name: string, value: unknown): void {
  useRuns.setState((old) => ({ outputs: { ...old.outputs, [name]: [...(old.outputs[name] ?? []), value] } }));
}

function progress(kind: string, node: string, data: any): void {
  useRuns.setState((old) => {
    const before = old.nodes[node] ?? BEGUN;
    return { nodes: { ...old.nodes, [node]: { ...before, ...after(kind, data, before) } } };
  });
}

function after(kind: string, data: any, before: Progress): Partial<Progress> {
  switch (kind) {
    case "started":
      return { status: "running" };
    case "step":
      return {
        status: "running",
        done: data.done,
        total: data.total,
        note: data.note ?? "",
        preview: data.preview ?? before.preview,
      };
    case "loading":
      return { note: `loaded ${data.model}` };
    case "cached":
      return { status: "cached", seconds: before.seconds ?? 0 };
    case "finished":
      return { status: data.status ?? "ran", seconds: (before.seconds ?? 0) + data.seconds };
    case "failed":
      return { status: "failed", message: data.diagnostic?.message ?? "failed" };
    default:
      return {};
  }
}

function ended(state: string, data: any): void {
  useRuns.setState((old) => {
    const nodes = Object.entries(old.nodes).filter(([, one]) => one.status !== "running");
    return { job: old.job && { ...old.job, state: state as Job["state"] }, nodes: Object.fromEntries(nodes) };
  });
  const first = (data.faults ?? []).find((fault: any) => fault.severity === "error");
  if (state === "failed") say(first?.message ?? "the run failed");
}

function fetching(name: string, data: any): void {
  useRuns.setState((old) => {
    const before = old.fetched[data.job]!;
    const now =
      name === "node.downloading"
        ? { done: data.done, total: data.total ?? 0, state: "running" }
        : name.startsWith("job.")
          ? { state: name.slice(4) }
          : {};
    return { fetched: { ...old.fetched, [data.job]: { ...before, ...now } } };
  });
}
