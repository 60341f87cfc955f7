/** How far a run is, in one line. */

import { type Job, messageOf, tookOf } from "./api";
import type { Progress } from "./store";

export interface Line {
  said: string;
  /** What is done of the node that runs, 0 to 1; null where nothing runs. */
  share: number | null;
  failed: boolean;
}

const WORDS: Readonly<Partial<Record<Job["state"], string>>> = {
  queued: "waits for its turn",
  cancelled: "cancelled",
  interrupted: "interrupted: run it again, and it goes on from what was done",
};

export function progressOf(job: Job | null, nodes: Readonly<Record<string, Progress>>): Line {
  if (!job) return { said: "", share: null, failed: false };
  if (job.state === "running") return running(nodes);
  if (job.state === "failed") return { said: faultOf(job, nodes), share: null, failed: true };
  return { said: WORDS[job.state] ?? `done${tookOf(job)}`, share: null, failed: false };
}

function running(nodes: Readonly<Record<string, Progress>>): Line {
  const now = Object.entries(nodes).findLast(([, one]) => one.status === "running");
  if (!now) return { said: "begins …", share: 0, failed: false };
  const [name, { done, total, note }] = now;
  const steps = total ? `${done} of ${total}` : note || "…";
  return { said: `${name}: ${steps}`, share: total ? done / total : 0, failed: false };
}

function faultOf(job: Job, nodes: Readonly<Record<string, Progress>>): string {
  const failed = Object.values(nodes).find((one) => one.status === "failed");
  return messageOf(job.diagnostics) || (failed?.message ?? "the run failed");
}
