import { expect, test } from "vitest";
import type { Job, State } from "./api";
import { progressOf } from "./progress";
import type { Progress } from "./store";

const job = (state: State, more: Partial<Job> = {}) =>
  ({ state, started: 10, ended: null, diagnostics: [], ...more }) as unknown as Job;
const node = (status: Progress["status"], done = 0, total = 0, note = "", message = ""): Progress => ({
  status,
  done,
  total,
  note,
  message,
  preview: null,
  seconds: null,
});

test("a run that goes tells the node that runs, and its steps", () => {
  const nodes = { text: node("ran"), small: node("running", 12, 50) };
  expect(progressOf(job("running"), nodes)).toEqual({ said: "small: 12 of 50", share: 0.24, failed: false });
  expect(progressOf(job("running"), { load: node("running", 0, 0, "loaded shapes/glide") }).said).toBe(
    "load: loaded shapes/glide",
  );
  expect(progressOf(job("running"), {}).said).toBe("begins …");
});

test("the end of a run is told with its time or its reason", () => {
  expect(progressOf(null, {}).said).toBe("");
  expect(progressOf(job("done", { ended: 18.25 }), {}).said).toBe("done in 8.3 s");
  expect(progressOf(job("queued"), {}).share).toBeNull();
  expect(progressOf(job("failed"), { small: node("failed", 0, 0, "", "no room") })).toEqual({
    said: "no room",
    share: null,
    failed: true,
  });
  expect(progressOf(job("cancelled"), {}).said).toBe("cancelled");
});
