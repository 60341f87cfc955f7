/** Where to begin: what was open last, the graphs of the workspace, and those that are shipped, with what they make. */

import { useEffect, useRef, useState } from "react";
import { hashOf, noteRecent, recents } from "../address";
import * as keeping from "../commands/keeping";
import type { Open } from "../commands/files";
import { Dialogs } from "../dialogs";
import { draftOf } from "../document/session";
import { say, tell } from "../store";
import { Cards, type Deeds, step, Waiting } from "./Cards";
import { FOLDERS, type Graph, readGraphs } from "./graphs";

const BLANK = "graph: 1\ntitle: \ninputs: {}\nnodes: {}\noutputs: {}\n";
const RECENT = 6;

interface StartProps {
  open: Open;
  /** The graph that is open behind this page. */
  current: string | null;
  /** Let the open graph go: it is no longer what it was. */
  leave: () => void;
}

export function Start({ open, current, leave }: StartProps) {
  const [graphs, setGraphs] = useState<Graph[] | null>(null);
  const [fault, setFault] = useState("");
  const [query, setQuery] = useState("");
  const [gone, setGone] = useState<{ path: string; back: () => Promise<void> } | null>(null);
  const page = useRef<HTMLElement>(null);
  const read = () =>
    readGraphs().then(
      (found) => {
        setGraphs(found);
        setFault("");
      },
      (problem: Error) => setFault(problem.message),
    );
  useEffect(() => {
    document.title = "graphs – nodegraph";
    void read();
  }, []);

  const told = async (deed: Promise<unknown>) => {
    await deed.catch(tell);
    await read();
  };
  const deeds: Deeds = {
    open: (path) => void open(path),
    rename: (path) =>
      void told(
        keeping.rename(path).then((to) => {
          if (to === path) return;
          noteRecent(path, false);
          if (path === current) leave();
        }),
      ),
    copy: (path) => void told(keeping.copy(path).then((to) => say(`copied to ${to}`))),
    remove: (path) =>
      void told(
        keeping.remove(path).then((back) => {
          setGone({ path, back });
          noteRecent(path, false);
          if (path === current) leave();
        }),
      ),
  };
  const begin = (made: Promise<unknown>) => void made.catch(tell);

  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const found = (graphs ?? []).filter(({ path, title }) =>
    words.every((word) => `${path} ${title}`.toLowerCase().includes(word)),
  );
  const lately = recents();
  const recent = lately.flatMap((path) => found.filter((one) => one.path === path)).slice(0, RECENT);
  const own = found.filter((one) => one.own);
  const keys = (event: React.KeyboardEvent) => {
    const typing = (event.target as Element).matches("input");
    if (event.key === "Escape" && current) location.hash = hashOf(current);
    else if (typing && event.key === "Enter" && found[0])
      open((words.length ? found : recent)[0]?.path ?? found[0].path);
    else if (event.key.startsWith("Arrow") && !(typing && /Left|Right/.test(event.key))) step(page.current!, event.key);
    else return;
    event.preventDefault();
  };
  return (
    <main className="start" ref={page} onKeyDown={keys}>
      <header>
        <h1>Graphs</h1>
        <input
          autoFocus
          type="search"
          aria-label="find a graph"
          placeholder="find a graph"
          value={query}
          onChange={(event) => setQuery(event.target.value)}
        />
        <button onClick={() => begin(draftOf("graph", BLANK).then((path) => open(path)))}>New graph</button>
        <button onClick={() => begin(keeping.beginFrom(open))}>New from …</button>
        {current && <button onClick={() => (location.hash = hashOf(current))}>Back</button>}
      </header>
      {fault && (
        <p className="error" role="alert">
          {fault} <button onClick={() => void read()}>Try again</button>
        </p>
      )}
      {gone && (
        <p className="gone" role="status">
          {gone.path} is deleted.{" "}
          <button onClick={() => void told(gone.back().then(() => setGone(null)))}>Put it back</button>
        </p>
      )}
      {!graphs && !fault && <Waiting />}
      {recent.length > 0 && !words.length && <Cards title="Open lately" graphs={recent} deeds={deeds} />}
      {own.length > 0 && <Cards title="Yours" graphs={own} deeds={deeds} manage />}
      {Object.entries(FOLDERS).map(([folder, title]) => (
        <Cards key={folder} title={title} graphs={found.filter((one) => isIn(one, folder))} deeds={deeds} />
      ))}
      <Cards
        title="Others"
        graphs={found.filter((one) => !one.own && !Object.keys(FOLDERS).some((f) => isIn(one, f)))}
        deeds={deeds}
      />
      {graphs && found.length === 0 && <p className="quiet">No graph is called so.</p>}
      <Dialogs />
    </main>
  );
}

const isIn = (graph: Graph, folder: string) => !graph.own && graph.path.startsWith(`${folder}/`);
