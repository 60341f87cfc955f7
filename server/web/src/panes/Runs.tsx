/** The queue and what was run: its pictures, and the graph that made each. */

import { useEffect } from "react";
import { fileAddress, isFile, isPicture } from "../api";
import { type Open, openJob } from "../commands/files";
import { cancel, ENDED, first, list, pause, retry, show } from "../running";
import { useRuns } from "../store";

export function Runs({ open }: { open: Open }) {
  const jobs = useRuns((runs) => runs.listed);
  const paused = useRuns((runs) => runs.paused);
  const current = useRuns((runs) => runs.job?.id);
  useEffect(() => void list().catch(() => undefined), []);
  const waiting = jobs.filter((job) => job.state === "queued").toSorted((a, b) => (a.place ?? 0) - (b.place ?? 0));
  return (
    <section className="runs" aria-label="runs">
      <header>
        <h2>Runs</h2>
        <button onClick={() => void pause(!paused)}>{paused ? "Resume the queue" : "Pause the queue"}</button>
      </header>
      {jobs.length === 0 && <p className="quiet">Nothing was run yet. Ctrl+Enter runs the graph.</p>}
      <ol>
        {jobs.map((job) => (
          <li key={job.id} className={job.id === current ? "current" : ""}>
            <button className="thumb" title="show this run" onClick={() => void show(job.id)}>
              {job.thumbnail ? (
                <img src={fileAddress(job.thumbnail)} alt={`result of ${job.title}`} />
              ) : (
                <span>{job.state}</span>
              )}
            </button>
            <div>
              <b>{job.title}</b>
              <small>
                {job.state}
                {job.started && job.ended ? ` in ${(job.ended - job.started).toFixed(1)} s` : ""} ·{" "}
                {new Date(job.created * 1000).toLocaleTimeString()}
                {Object.entries(job.seeds ?? {}).map(([name, seed]) => ` · ${name} ${seed}`)}
              </small>
              {job.state === "failed" && (
                <small className="error">{job.diagnostics.find((fault) => fault.severity === "error")?.message}</small>
              )}
              <span className="tools">
                <button className="link" onClick={() => void openJob(job.id, open)}>
                  Open its graph
                </button>
                {!ENDED.includes(job.state) && (
                  <button className="link" onClick={() => void cancel(job.id)}>
                    Cancel
                  </button>
                )}
                {["failed", "cancelled", "interrupted"].includes(job.state) && (
                  <button className="link" onClick={() => void retry(job.id)}>
                    Try again
                  </button>
                )}
                {job.state === "queued" && waiting[0] && waiting[0].id !== job.id && (
                  <button className="link" onClick={() => void first(job.id, waiting[0]!.id)}>
                    To the front
                  </button>
                )}
              </span>
            </div>
          </li>
        ))}
      </ol>
    </section>
  );
}

/** What came out of the newest run. */
export function Results() {
  const outputs = useRuns((runs) => runs.outputs);
  const job = useRuns((runs) => runs.job);
  const rows = Object.entries(outputs).flatMap(([name, values]) =>
    values.map((value, n) => ({ key: `${name} ${n}`, name, value })),
  );
  if (!job) return null;
  return (
    <section className="results" aria-label="results">
      {rows.map(({ key, name, value }) => (
        <figure key={key}>
          {isPicture(value) ? (
            <a href={fileAddress(value.file)} target="_blank" rel="noreferrer" title="open it in full size">
              <img src={fileAddress(value.file)} alt={`result ${name}`} />
            </a>
          ) : isFile(value) ? (
            <a href={fileAddress(value.file)}>{value.name}</a>
          ) : (
            <code>{JSON.stringify(value)}</code>
          )}
          <figcaption>{name}</figcaption>
        </figure>
      ))}
      {Object.keys(job.seeds ?? {}).length > 0 && (
        <p className="quiet">
          {Object.entries(job.seeds ?? {})
            .map(([name, seed]) => `${name} ${seed}`)
            .join(", ")}
        </p>
      )}
    </section>
  );
}
