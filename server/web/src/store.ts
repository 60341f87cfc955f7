/** What the page shows: the document as it was read last, what the server says of it, and what is selected. */

import { create } from "zustand";
import type { Cell, Diagnostic, Job, Lacking, Metric, NodeSpec, PlannedNode, PortType, Step } from "./api";
import type { Between } from "./canvas/flow";
import { type Graph, type ReadGraph, readGraph } from "./core/graph";
import type { Link } from "./document/sync";

export interface Catalogue {
  nodes: ReadonlyMap<string, NodeSpec>;
  ports: ReadonlyMap<string, PortType>;
  widenings: readonly (readonly [string, string])[];
  /** The parts of bundles of models, by the name of the bundle. */
  bundles: ReadonlyMap<string, readonly string[]>;
}

export interface Theirs {
  etag: string;
  text: string;
}

export interface DocumentState {
  path: string;
  shipped: boolean;
  /** The tag of the file that saving replaces; null where there is no file yet. */
  etag: string | null;
  text: string;
  /** The last text that could be read, and its graph. */
  read: ReadGraph & { graph: Graph };
  readable: boolean;
  fault: string;
  link: Link;
  unsaved: boolean;
  conflict: Theirs | null;
}

export interface Judged {
  diagnostics: readonly Diagnostic[];
  planned: readonly PlannedNode[];
  missing: readonly Lacking[];
  /** Whether the text changed since. */
  stale: boolean;
  message: string;
}

export const EMPTY = readGraph("graph: 1\nnodes: {}\noutputs: {}\n") as ReadGraph & { graph: Graph };
export const UNJUDGED: Judged = { diagnostics: [], planned: [], missing: [], stale: true, message: "" };

interface Page {
  catalogue: Catalogue | null;
  document: DocumentState | null;
  judged: Judged;
  /** Ids of boxes. */
  selected: readonly string[];
  wires: readonly Between[];
  /** Ids of nodes and frames that are drawn closed; kept by the browser. */
  closed: ReadonlySet<string>;
  /** Values for the next run, by input; the graph's defaults stand where there is none. */
  values: Readonly<Record<string, unknown>>;
  preset: string;
  /** The sweep of the graph's own that the next run is; empty for none. */
  sweep: string;
  /** Inputs over which the next run sweeps, with their values as on a command line: `[1, 2]`, `0..7`. */
  each: Readonly<Record<string, string>>;
  /** The graphs from which this one was opened, as what a node of them is made of. */
  trail: readonly { path: string; node: string; values: Readonly<Record<string, unknown>> }[];
  said: string;
  /** What stands below the canvas; empty where nothing does. */
  pane: string;
}

export const usePage = create<Page>(() => ({
  catalogue: null,
  document: null,
  judged: UNJUDGED,
  selected: [],
  wires: [],
  closed: new Set(),
  values: {},
  preset: "",
  sweep: "",
  each: {},
  trail: [],
  said: "",
  pane: "text",
}));

export const page = (): Page => usePage.getState();

/** Draw nodes or frames closed, or open again. */
export function close(ids: readonly string[]): void {
  const { closed, document } = page();
  const open = ids.every((id) => closed.has(id));
  const now = new Set(open ? [...closed].filter((id) => !ids.includes(id)) : [...closed, ...ids]);
  usePage.setState({ closed: now });
  if (document) keepClosed(document.path);
}

/** Keep what is closed of a graph, also below its name as a draft. */
export function keepClosed(path: string): void {
  localStorage.setItem(`nodegraph.closed ${path}`, JSON.stringify([...page().closed]));
}

/** What was closed of a graph when it was open last. */
export function closedOf(path: string): ReadonlySet<string> {
  return new Set(JSON.parse(localStorage.getItem(`nodegraph.closed ${path}`) ?? "[]") as string[]);
}

/** Change what is known of the open document. */
export function toDocument(changes: Partial<DocumentState>): void {
  usePage.setState((old) => (old.document ? { document: { ...old.document, ...changes } } : old));
}

/** Show a pane below the canvas, or put it away. */
export function togglePane(pane: string): void {
  usePage.setState((old) => ({ pane: old.pane === pane ? "" : pane }));
}

let clearing: ReturnType<typeof setTimeout> | undefined;

/** Tell the user something, for as long as it takes to read. */
export function say(said: string): void {
  usePage.setState({ said });
  clearTimeout(clearing);
  if (said) clearing = setTimeout(() => usePage.setState({ said: "" }), 6_000);
}

/** Tell why something did not come about. */
export const tell = (problem: Error): void => say(problem.message);

/** Give an input of the graph a value for the next run. */
export function giveInput(name: string, value: unknown): void {
  usePage.setState((old) => ({ values: { ...old.values, [name]: value } }));
}

/** How a node does in the newest run. Its own store: it changes thirty times a second. */
export interface Progress {
  status: "running" | "ran" | "rebuilt" | "cached" | "failed";
  done: number;
  total: number;
  note: string;
  preview: string | null;
  seconds: number | null;
  message: string;
}

interface Runs {
  job: Job | null;
  /** Of a sweep: its cells, which of them the canvas shows, and whether the user chose it. */
  cells: readonly Cell[];
  cell: string | null;
  chosen: boolean;
  /** The job that was told to stop. */
  stopping: string | null;
  nodes: Readonly<Record<string, Progress>>;
  /** What the results that are seen are kept under, by the whole name of the node. */
  keys: Readonly<Record<string, string>>;
  steps: Readonly<Record<string, readonly Step[]>>;
  metrics: Readonly<Record<string, readonly Metric[]>>;
  outputs: Readonly<Record<string, readonly unknown[]>>;
  listed: readonly Job[];
  /** Whether there are older ones. */
  more: boolean;
  paused: boolean;
  /** Jobs that fetch them. */
  fetched: Readonly<Record<string, { state: string; done: number; total: number }>>;
}

export const NO_NODES = { nodes: {}, keys: {}, steps: {}, metrics: {}, outputs: {} };
export const NO_RUN = { ...NO_NODES, job: null, cells: [], cell: null, chosen: false, fetched: {} };

export const useRuns = create<Runs>(() => ({ ...NO_RUN, stopping: null, listed: [], more: false, paused: false }));
