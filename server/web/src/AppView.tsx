/** A graph for who wants no wires: its inputs, what comes out of it, and what came out before. */

import { useEffect, useMemo } from "react";
import { hashOf } from "./address";
import { fileAddress, isOf, isPicture, type Job } from "./api";
import type { Open } from "./commands/files";
import { deedsOf } from "./deeds";
import { Dialogs } from "./dialogs";
import type { Session } from "./document/session";
import { useFollowing } from "./Editor";
import { RunButton } from "./Header";
import { useKeys } from "./keys";
import { thumbnailOf } from "./panes/FileField";
import { Inputs } from "./panes/Inspector";
import { Missing } from "./panes/Missing";
import { Results } from "./panes/Results";
import { progressOf } from "./progress";
import { ENDED, list, show } from "./running";
import { usePage, useRuns } from "./store";

const KEYS: readonly string[] = ["run", "cancel"];

export function AppView({ session, open }: { session: Session; open: Open }) {
  const document = usePage((page) => page.document!);
  const { title, description } = document.read.graph;
  useFollowing(session);
  useKeys(useMemo(() => deedsOf(session, open).filter(({ key }) => KEYS.includes(key)), [session, open]));
  return (
    <div className="app">
      <header className="top">
        <button onClick={() => (location.hash = "#/start")}>Graphs</button>
        <h1>{title || document.path}</h1>
        <span className="gap" />
        <a className="button" href={hashOf(document.path)} title="open the graph in the editor">
          Editor
        </a>
      </header>
      <section className="asks" aria-label="inputs">
        {description && <p className="quiet">{description}</p>}
        <Missing />
        <Inputs />
        <Going />
      </section>
      <main>
        <Made />
        <Before path={document.path} />
      </main>
      <Dialogs />
    </div>
  );
}

/** The button, and how far it is, on one line. */
function Going() {
  const job = useRuns((runs) => runs.job);
  const nodes = useRuns((runs) => runs.nodes);
  const { said, share, failed } = progressOf(job, nodes);
  return (
    <div className="going">
      <RunButton />
      <p role="status" className={failed ? "error" : "quiet"} title={said}>
        {said}
      </p>
      {share !== null && <progress aria-label="done of it" value={share} max={1} />}
    </div>
  );
}

/** The pictures of the newest run; while it runs, what they are like so far. */
function Made() {
  const job = useRuns((runs) => runs.job);
  const outputs = useRuns((runs) => runs.outputs);
  const preview = useRuns((runs) => Object.values(runs.nodes).findLast((one) => one.preview)?.preview ?? null);
  const going = job && !ENDED.includes(job.state);
  if (going && !Object.keys(outputs).length)
    return (
      <section className="results" aria-label="results" aria-busy>
        {preview ? <img src={fileAddress(preview)} alt="what it is like so far" /> : <div className="blank" />}
      </section>
    );
  if (!job || !Object.keys(outputs).length) return <p className="results blank quiet">What comes out stands here.</p>;
  return (
    <>
      <Results />
      {going || (
        <button className="link" onClick={() => takeValues(job)} title={valuesOf(job)}>
          Use the values of this run again
        </button>
      )}
    </>
  );
}

const inputsOf = (job: Job) => ({ ...((job.asked.inputs ?? {}) as Record<string, unknown>), ...job.seeds });

function takeValues(job: Job): void {
  usePage.setState({ values: inputsOf(job), preset: String(job.asked.preset ?? "") });
}

function valuesOf(job: Job): string {
  const rows = Object.entries(inputsOf(job)).filter(([, value]) => typeof value !== "object");
  return rows.map(([name, value]) => `${name}: ${value}`).join("\n");
}

/** What this graph made before; a click shows it again. */
function Before({ path }: { path: string }) {
  const listed = useRuns((runs) => runs.listed);
  const current = useRuns((runs) => runs.job?.id);
  const jobs = useMemo(
    () => listed.filter((job) => isOf(job, path) && Object.values(job.outputs).flat().some(isPicture)),
    [listed, path],
  );
  useEffect(() => {
    void list()
      .then(() => {
        const { job, listed: all } = useRuns.getState();
        const newest = all.find((one) => isOf(one, path) && one.state === "done");
        if (!job && newest) void show(newest.id);
      })
      .catch(() => undefined);
  }, [path]);
  if (!jobs.length) return null;
  return (
    <section aria-label="made before">
      <h2>Made before</h2>
      <ul className="before">
        {jobs.map((job) => (
          <li key={job.id}>
            <button
              aria-current={job.id === current}
              title={valuesOf(job)}
              aria-label={`show run ${job.number}: ${valuesOf(job)}`}
              onClick={() => void show(job.id)}
            >
              <img src={thumbnailOf(pictureOf(job))} alt="" loading="lazy" />
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

const pictureOf = (job: Job): string => Object.values(job.outputs).flat().find(isPicture)!.file;
