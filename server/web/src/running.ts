/** Runs of the open graph: asked for, followed as they go, and looked at again. */

import { ask, type Cell, type Diagnostic, get, isOf, type Job, messageOf, type Metric, post, Problem, type Step } from "./api";
import type { Happened } from "./events";
import { given, topOf } from "./judging";
import { NO_NODES, NO_RUN, page, type Progress, say, usePage, useRuns } from "./store";

const BEGUN: Progress = { status: "running", done: 0, total: 0, note: "", preview: null, seconds: null, message: "" };
export const ENDED: readonly string[] = ["done", "failed", "cancelled", "interrupted"];
const REMEMBERED = "nodegraph.run";

/** Run the open document, or what a node of it needs. */
export async function run(until: string | null = null): Promise<void> {
  const { document } = page();
  if (!document) return;
  if (!document.readable) return say("the text cannot be read: mend it first");
  const asked = { graph: document.path, text: document.text, ...given(), ...(until ? { until } : swept()) };
  try {
    const job = await post<Job>("jobs", asked);
    useRuns.setState({ ...NO_RUN, job });
    recent.filter(({ data }) => data.job === job.id).forEach(taken);
    if (job.kind === "sweep") {
      usePage.setState({ pane: "sheet" });
      await show(job.id);
    }
    await list();
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    say(messageOf(problem.diagnostics) || problem.message);
    if (problem.diagnostics.length)
      usePage.setState((old) => ({ judged: { ...old.judged, diagnostics: problem.diagnostics } }));
  }
}

/** Over what the next run goes: values of inputs that were typed, and a sweep of the graph's own. */
function swept(): { each?: Record<string, string>; sweep?: string } {
  const { document, each, sweep } = page();
  const { inputs, sweeps } = document!.read.graph;
  const rows = Object.entries(each).filter(([name]) => inputs.has(name));
  return { ...(rows.length ? { each: Object.fromEntries(rows) } : {}), ...(sweeps.has(sweep) ? { sweep } : {}) };
}

export async function cancel(id: string): Promise<void> {
  useRuns.setState({ stopping: id });
  if (!(await told(post(`jobs/${id}/cancel`).then(() => list())))) useRuns.setState({ stopping: null });
}
export async function retry(id: string): Promise<void> {
  if ((await told(post(`jobs/${id}/retry`))) && id === useRuns.getState().job?.id) await show(id);
}
/** Put a waiting job before another one, or behind all. */
export const move = (id: string, before: string | null): Promise<boolean> =>
  told(post(`jobs/${id}/move`, { before }).then(() => list()));
export const remove = (id: string): Promise<boolean> => told(ask("DELETE", `jobs/${id}`).then(() => list()));
export const pause = (paused: boolean): Promise<boolean> =>
  told(post(`queue/${paused ? "pause" : "resume"}`).then(() => list()));

/** Wait for an answer; a refusal is told. Whether there was none. */
async function told(asked: Promise<unknown>): Promise<boolean> {
  try {
    await asked;
    return true;
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    say(problem.message);
    return false;
  }
}

const PAGE = 60;
let newestList = 0;

/** Read the newest jobs, or those before one. What was read of older ones stays. */
export async function list(before?: number): Promise<void> {
  const mine = before ? newestList : ++newestList;
  const found = await get<{ jobs: Job[]; paused: boolean }>(`jobs?limit=${PAGE}${before ? `&before=${before}` : ""}`);
  if (mine !== newestList) return; // a newer answer is on its way, or here
  const last = found.jobs.length < PAGE ? 0 : found.jobs.at(-1)!.number;
  useRuns.setState(({ job, listed, more }) => {
    const now = found.jobs.find((one) => one.id === job?.id);
    const beside = listed.filter(({ number }) => number < last || (before && number >= before));
    const older = beside.some(({ number }) => number < last);
    const all = [...found.jobs.filter((one) => one.kind !== "get"), ...beside];
    return {
      listed: all.toSorted((one, other) => other.number - one.number),
      more: older ? more : last > 0,
      paused: found.paused,
      ...(now ? { job: { ...job, ...now } } : {}),
    };
  });
}

/** Show a job with its nodes and outputs, as it is now; of a sweep the cell that runs, or the first. */
export async function show(id: string): Promise<void> {
  const { job, catchUp } = await read(id);
  useRuns.setState({ ...NO_RUN, job, cells: job.cells ?? [], ...nodesOf(job) });
  catchUp();
  const cell = job.cells?.find(({ state }) => state === "running") ?? job.cells?.[0];
  if (cell) await showCell(cell.id, false);
}

/** Show a cell of the sweep on the canvas. */
export async function showCell(id: string, chosen = true): Promise<void> {
  useRuns.setState({ cell: id, chosen });
  const { job, catchUp } = await read(id);
  if (useRuns.getState().cell !== id) return;
  useRuns.setState(nodesOf(job));
  catchUp();
}

/** A job as it is told, and what takes again the states that were heard while the answer was on its way: it may be older. */
async function read(id: string): Promise<{ job: Job; catchUp: () => void }> {
  const newest = recent.at(-1);
  const job = await get<Job>(`jobs/${id}`);
  const since = newest ? recent.lastIndexOf(newest) + 1 : 0;
  return { job, catchUp: () => recent.slice(since).filter(({ name }) => name.startsWith("job.")).forEach(taken) };
}

/** What a job told of the nodes of this graph. */
function nodesOf(job: Job): Pick<ReturnType<typeof useRuns.getState>, keyof typeof NO_NODES> {
  const nodes: Record<string, Progress> = {};
  for (const [name, { status, seconds }] of Object.entries(job.nodes ?? {})) {
    const top = topOf(name);
    const before = nodes[top]?.seconds ?? 0;
    if (status && !(status === "running" && ENDED.includes(job.state))) nodes[top] = { ...BEGUN, status: status as Progress["status"], seconds: before + (seconds ?? 0) };
  }
  Object.assign(nodes, failedBy(job.diagnostics));
  const keys = Object.entries(job.nodes ?? {}).map(([name, { key = "" }]) => [name, key]);
  return { nodes, keys: Object.fromEntries(keys), steps: byTop(job.steps), metrics: byTop(job.metrics), outputs: job.outputs };
}

/** The nodes that errors are about, also of a run that was refused before it began. */
function failedBy(faults: readonly Diagnostic[]): Record<string, Progress> {
  const errors = faults.filter(({ severity, node }) => severity === "error" && node);
  return Object.fromEntries(
    errors.toReversed().map(({ node, message }) => [topOf(node!), { ...BEGUN, status: "failed", message }]),
  );
}

const byTop = <T>(found: Record<string, T> = {}): Record<string, T> =>
  Object.fromEntries(Object.entries(found).map(([name, rows]) => [topOf(name), rows]));

/** After the page was loaded again: show the run of this graph that this tab showed before. */
export async function showAgain(path: string): Promise<void> {
  const id = sessionStorage.getItem(REMEMBERED);
  const job = id ? await get<Job>(`jobs/${id}`).catch(() => null) : null;
  if (job && isOf(job, path)) await show(job.id);
}
useRuns.subscribe(({ job }, old) => {
  if (job?.id !== old.job?.id) sessionStorage.setItem(REMEMBERED, job?.id ?? "");
});

let listing: ReturnType<typeof setTimeout> | undefined;
/** The newest events: a short run is over before the answer that names it is here. */
const recent: Happened[] = [];
const RECENT = 500;

/** Take an event of the stream. */
export function heard(event: Happened): void {
  recent.push(event);
  if (recent.length > RECENT) recent.shift();
  if (event.name.startsWith("job.")) {
    clearTimeout(listing);
    listing = setTimeout(() => void list().catch(() => undefined), 150);
  }
  taken(event);
}

function taken({ name, data }: Happened): void {
  const { job, fetched } = useRuns.getState();
  if (data.job in fetched) fetching(name, data);
  if (!job) return;
  const state = name.startsWith("job.") ? stateOf(name) : null;
  if (state && data.job === job.id) useRuns.setState({ job: { ...job, state } });
  if (state && data.parent === job.id) cellHeard(state, data);
  if (data.job !== (useRuns.getState().cell ?? job.id)) return;
  if (name === "output") output(data.name, data.value);
  else if (name === "metric") metric(topOf(data.node), data);
  else if (name === "node.planned") planned(data);
  else if (name.startsWith("node.") && data.node) progress(name.slice(5), topOf(data.node), data);
  else if (state && ENDED.includes(state)) ended(state, data);
}

/** The state that an event of a job tells; none for those that tell of something else. */
function stateOf(event: string): Job["state"] | null {
  const told = event.replace("job.", "");
  if (told === "started") return "running";
  return told === "queued" || ENDED.includes(told) ? (told as Job["state"]) : null;
}

/** A cell of the sweep changed; while nobody has chosen one the canvas follows the one that runs. */
function cellHeard(state: Job["state"], data: any): void {
  const now: Partial<Cell> = { state, message: messageOf(data.faults ?? []), outputs: data.outputs ?? {} };
  useRuns.setState(({ cells }) => ({ cells: cells.map((one) => (one.id === data.job ? { ...one, ...now } : one)) }));
  const { cells, cell, chosen } = useRuns.getState();
  const busy = cells.some((one) => one.id === cell && one.state === "running");
  if (state === "running" && !chosen && !busy) useRuns.setState({ ...NO_NODES, cell: data.job });
}

function output(name: string, value: unknown): void {
  useRuns.setState((old) => ({ outputs: { ...old.outputs, [name]: [...(old.outputs[name] ?? []), value] } }));
}

function metric(node: string, data: Metric): void {
  useRuns.setState(({ metrics }) => ({
    metrics: { ...metrics, [node]: [...(metrics[node] ?? []).filter(({ step }) => step < data.step), data] },
  }));
}

function planned({ job, steps }: { job: string; steps: { node: string; key: string }[] }): void {
  useRuns.setState({ keys: Object.fromEntries(steps.map(({ node, key }) => [node, key])) });
  lookBack(job);
}

let looking: ReturnType<typeof setTimeout> | undefined;

/** The steps of what there is no need to make are those of the job that made it. */
function lookBack(id: string): void {
  clearTimeout(looking);
  looking = setTimeout(async () => {
    const found = await get<Job>(`jobs/${id}`).catch(() => null);
    const { cell, job } = useRuns.getState();
    if (found && id === (cell ?? job?.id)) useRuns.setState(({ steps }) => ({ steps: { ...byTop(found.steps), ...steps } }));
  }, 150);
}

function progress(kind: string, node: string, data: any): void {
  useRuns.setState((old) => {
    const before = old.nodes[node] ?? BEGUN;
    return {
      nodes: { ...old.nodes, [node]: { ...before, ...after(kind, data, before) } },
      ...(data.kept ? { steps: { ...old.steps, [node]: grown(old.steps[node] ?? [], data) } } : {}),
    };
  });
}

/** Steps with a new one. Where another item of a node begins, so do they. */
export const grown = (steps: readonly Step[], step: Step): readonly Step[] => [
  ...steps.filter(({ node, done }) => node === step.node && done < step.done),
  step,
];

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
    return { nodes: { ...Object.fromEntries(nodes), ...failedBy(data.faults ?? []) }, ...(state === "done" ? { outputs: data.outputs ?? {} } : {}) };
  });
  if (state === "failed" && !data.parent) say(messageOf(data.faults ?? []) || "the run failed");
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
