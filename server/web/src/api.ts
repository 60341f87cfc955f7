// The server's API: one function that asks, and the types of what it answers.

import type { NodeType, Port } from "./core/fits";

export interface Place {
  file: string;
  line: number;
  column: number;
  end_line: number;
  end_column: number;
}

export interface TextEdit extends Place {
  text: string;
}

export interface Diagnostic extends Partial<Place> {
  code: string;
  severity: "error" | "warning" | "info";
  message: string;
  hint: string;
  node?: string | null;
  port?: string | null;
  fix: TextEdit[];
}

export interface PortSpec extends Port {
  default: unknown;
  range: { low: number | null; high: number | null; unit: string } | null;
  menu: unknown[] | null;
  doc: string;
}

export interface NodeSpec extends NodeType {
  generator: boolean;
  composite: boolean;
  inputs: PortSpec[];
  outputs: PortSpec[];
}

export interface PortType {
  name: string;
  doc: string;
  colour: string;
  shape: "circle" | "diamond" | "square" | "triangle" | string;
  literal: string;
  live: boolean;
}

export interface PlannedNode {
  node: string;
  type: string;
  action: "memory" | "disk" | "run" | "rebuild" | "skip";
  reason: string;
  outputs: string[];
  flops: number;
  memory: number;
  /** What its result is kept under. */
  key: string;
}

export interface Check {
  version: number;
  level: "types" | "shapes";
  diagnostics: Diagnostic[];
  nodes: PlannedNode[];
  missing: Lacking[] | null;
}

/** Weights that a run needs and that are not at the server. */
export interface Lacking {
  model: string;
  bytes: number | null;
  licence: string | null;
}

export interface OutFile {
  file: string;
  name: string;
  media: string;
  bytes: number;
}

export type State = "queued" | "running" | "done" | "failed" | "cancelled" | "interrupted";

export interface Job {
  id: string;
  number: number;
  kind: string;
  state: State;
  title: string;
  place: number | null;
  asked: Record<string, unknown>;
  seeds: Record<string, number> | null;
  created: number;
  started: number | null;
  ended: number | null;
  outputs: Record<string, unknown[]>;
  diagnostics: Diagnostic[];
  thumbnail: string | null;
  text?: string;
  nodes?: Record<string, { status?: string; seconds?: number; key?: string; action?: string; outputs?: Record<string, string> }>;
  /** By the whole name of the node. */
  steps?: Record<string, Step[]>;
  metrics?: Record<string, Metric[]>;
  axes?: Axis[];
  cells?: Cell[];
}

/** A step whose pictures are kept: the prediction x̂₀, and the x_t on its way there where there is one. */
export interface Step {
  node: string;
  done: number;
  total: number;
  preview: string;
  noisy: string | null;
}

/** The numbers that a node told with a step. */
export interface Metric {
  step: number;
  [name: string]: number | string;
}

/** An axis of a sweep: the inputs that go together, and their values in turn. */
export interface Axis {
  names: string[];
  rows: unknown[][];
}

/** A cell of a sweep. */
export interface Cell {
  id: string;
  cell: number;
  values: Record<string, unknown>;
  state: State;
  outputs: Record<string, unknown[]>;
  message: string;
}

export interface Draft {
  path: string;
  text: string;
  version: number;
  unsaved: boolean;
  etag: string | null;
  writer: string | null;
}

export interface GraphList {
  workspace: { path: string }[];
  shipped: { path: string; title: string; thumbnail: boolean }[];
}

export interface GraphFile {
  path: string;
  text: string;
  shipped: boolean;
}

/** What the server refused, with its reason. `type` is for programs. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly type: string,
    detail: string,
    readonly body: Record<string, unknown>,
  ) {
    super(detail);
  }

  get diagnostics(): Diagnostic[] {
    return (this.body.diagnostics ?? []) as Diagnostic[];
  }
}

const ROOT = "api/v1/";

export const addressOf = (path: string): string => ROOT + path;
export const fileAddress = (digest: string): string => addressOf(`files/${digest}`);
export const encoded = (path: string): string => path.split("/").map(encodeURIComponent).join("/");

/** Ask the server. Throws Problem: with status 0 where it does not answer. */
export async function ask<T>(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<{ found: T; etag: string | null }> {
  const sent: RequestInit = { method, headers: { ...headers } };
  if (body instanceof FormData || body instanceof Blob) sent.body = body;
  else if (body !== undefined) {
    sent.body = JSON.stringify(body);
    sent.headers = { ...headers, "content-type": "application/json" };
  }
  let answer: Response;
  try {
    answer = await fetch(addressOf(path), sent);
  } catch {
    throw new Problem(0, "no-server", "the server does not answer", {});
  }
  const text = await answer.text();
  const found = text ? JSON.parse(text) : undefined;
  if (!answer.ok)
    throw new Problem(answer.status, found?.type ?? "unknown", found?.detail ?? answer.statusText, found ?? {});
  return { found, etag: answer.headers.get("etag") };
}

export const get = async <T>(path: string): Promise<T> => (await ask<T>("GET", path)).found;
export const post = async <T>(path: string, body: unknown = {}): Promise<T> => (await ask<T>("POST", path, body)).found;

/** Keep a file at the server. */
export async function upload(file: Blob, name = "upload"): Promise<OutFile> {
  const form = new FormData();
  form.append("file", file, file instanceof File ? file.name : name);
  return post<OutFile>("uploads", form);
}

/** The first error's message, if there is one. */
export const messageOf = (faults: readonly Diagnostic[]): string =>
  faults.find((fault) => fault.severity === "error")?.message ?? "";
/** How long a job took, in words behind its state; empty while it goes on. */
export const tookOf = ({ started, ended }: Job): string =>
  started && ended ? ` in ${(ended - started).toFixed(1)} s` : "";

/** Whether a job is a run of a graph; of a shipped one jobs say the name with an ending. */
export const isOf = (job: Job, path: string): boolean => plainPath(String(job.asked.graph)) === plainPath(path);
export const plainPath = (path: string): string => path.replace(/\.yaml$/, "");

export const isFile = (value: unknown): value is OutFile =>
  typeof value === "object" && value !== null && "file" in value;
export const isPicture = (value: unknown): value is OutFile => isFile(value) && value.media.startsWith("image/");
