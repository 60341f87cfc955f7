/** The queue, and what was run: its pictures, and the graph that made each. */

import { type KeyboardEvent, type PointerEvent, useEffect, useState } from "react";
import { fileAddress, type Job, messageOf, tookOf } from "../api";
import { openJob } from "../commands/files";
import { cancel, ENDED, list, move, pause, remove, retry, show } from "../running";
import { useRuns, usePage } from "../store";
import { look, picturesOf } from "./looking";
import type { PaneProps } from "./panes";
import { inPlaceOf, neighbours } from "./queue";

export function Runs({ open }: PaneProps) {
  const jobs = useRuns((runs) => runs.listed);
  const paused = useRuns((runs) => runs.paused);
  const more = useRuns((runs) => runs.more);
  const [over, setOver] = useState("");
  useEffect(() => void list().catch(() => undefined), []);
  const running = jobs.filter((job) => job.state === "running");
  const waiting = jobs.filter((job) => job.state === "queued").toSorted((a, b) => (a.place ?? 0) - (b.place ?? 0));
  const past = jobs.filter((job) => ENDED.includes(job.state));
  const enlarge = (id: string | null) => {
    const pictures = past.flatMap((job) =>
      picturesOf(job, job.outputs, `${job.title}, ${whenOf(job)}`).map((one) => ({ ...one, ...smallOf(job) })),
    );
    look("history", pictures, Math.max(0, pictures.findIndex(({ job }) => job === id)));
  };
  const shared = { open, onEnlarge: enlarge };
  return (
    <section className="runs" aria-label="runs">
      <header>
        <h2>Queue</h2>
        <span className="quiet">
          {paused ? "paused: what waits goes on waiting" : running.length + waiting.length ? "" : "nothing runs or waits"}
        </span>
        <span className="gap" />
        <button onClick={() => void pause(!paused)}>{paused ? "Resume the queue" : "Pause the queue"}</button>
      </header>
      {running.length + waiting.length > 0 && (
        <ol aria-label="queue">
          {running.map((job) => (
            <Row key={job.id} job={job} {...shared} />
          ))}
          {waiting.map((job) => (
            <Waiting key={job.id} job={job} queue={waiting} over={over} onOver={setOver} {...shared} />
          ))}
        </ol>
      )}
      <header>
        <h2>History</h2>
        <span className="gap" />
        {past.some(({ thumbnail }) => thumbnail) && <button onClick={() => enlarge(null)}>Gallery</button>}
      </header>
      {past.length === 0 && <p className="quiet">Nothing was run yet. Ctrl+Enter runs the graph.</p>}
      <ol aria-label="history">
        {past.map((job) => (
          <Row key={job.id} job={job} {...shared} />
        ))}
      </ol>
      {more && <button onClick={() => void list(jobs.at(-1)!.number)}>Older ones</button>}
    </section>
  );
}

const smallOf = ({ thumbnail }: Job) => (thumbnail ? { small: thumbnail } : {});

function whenOf({ created }: Job): string {
  const date = new Date(created * 1000);
  const today = date.toDateString() === new Date().toDateString();
  return today ? date.toLocaleTimeString() : date.toLocaleString([], { dateStyle: "short", timeStyle: "short" });
}

interface RowProps {
  job: Job;
  open: PaneProps["open"];
  onEnlarge: (id: string) => void;
}

/** A job that waits: it is drawn by its grip, or moved by the arrows at it. */
function Waiting({ queue, over, onOver, ...row }: RowProps & { queue: readonly Job[]; over: string; onOver: (id: string) => void }) {
  const { id } = row.job;
  const ids = queue.map((job) => job.id);
  const step = async (event: KeyboardEvent<HTMLButtonElement>) => {
    const to = neighbours(ids, id)[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const grip = event.currentTarget;
    await move(id, to);
    grip.focus();
  };
  const below = ({ clientX, clientY }: PointerEvent) =>
    document.elementFromPoint(clientX, clientY)?.closest("[data-waits]")?.getAttribute("data-waits") ?? "";
  const drop = (event: PointerEvent<HTMLButtonElement>) => {
    const to = event.currentTarget.hasPointerCapture(event.pointerId) ? below(event) : "";
    if (to && to !== id) void move(id, inPlaceOf(ids, id, to));
  };
  return (
    <Row {...row} className={over === id ? "over" : ""} data-waits={id}>
      <button
        className="grip"
        aria-label={`place of ${row.job.title}: ${(row.job.place ?? 0) + 1}`}
        title="draw it, or press the arrows: up, down, Home and End"
        onKeyDown={(event) => void step(event)}
        onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
        onPointerMove={(event) => event.currentTarget.hasPointerCapture(event.pointerId) && onOver(below(event))}
        onPointerUp={drop}
        onLostPointerCapture={() => onOver("")}
      >
        ⠿
      </button>
    </Row>
  );
}

function Row({ job, open, onEnlarge, children, className = "", ...more }: RowProps & React.ComponentProps<"li">) {
  const current = useRuns((runs) => runs.job?.id === job.id);
  const stopping = useRuns((runs) => runs.stopping === job.id);
  const display = async () => {
    if (job.kind === "sweep") usePage.setState({ pane: "sheet" });
    await show(job.id);
  };
  const ended = ENDED.includes(job.state);
  const seeds = Object.entries(job.seeds ?? {}).map(([name, seed]) => ` · ${name} ${seed}`);
  return (
    <li className={`${className}${current ? " current" : ""}`} {...more}>
      <button className="thumb" title="show this run" onClick={() => void display()} onDoubleClick={() => onEnlarge(job.id)}>
        {job.thumbnail ? (
          <img src={fileAddress(job.thumbnail)} alt={`result of ${job.title}`} draggable={false} />
        ) : (
          <span>{job.kind === "sweep" ? "sweep" : job.state}</span>
        )}
      </button>
      <div>
        <b title={job.title}>{job.title}</b>
        <small>
          {stopping && !ended ? "stops …" : job.state}
          {tookOf(job)} · {whenOf(job)}
          {seeds}
        </small>
        {job.state === "failed" && <small className="error">{messageOf(job.diagnostics)}</small>}
        <span className="tools">
          <button className="link" onClick={() => void openJob(job.id, open)}>
            Open its graph
          </button>
          {!ended && (
            <button className="link" disabled={stopping} onClick={() => void cancel(job.id)}>
              Cancel
            </button>
          )}
          {ended && job.state !== "done" && (
            <button className="link" onClick={() => void retry(job.id)}>
              Try again
            </button>
          )}
          {ended && (
            <button className="link" onClick={() => void remove(job.id)} title="forget this run and its pictures">
              Remove
            </button>
          )}
        </span>
      </div>
      {children}
    </li>
  );
}
