/** Where to begin: what was open last, the graphs of the workspace, and those that are shipped, with what they make. */

import { useEffect, useRef, useState } from "react";
import { hashOf, noteRecent, recents } from "./address";
import { addressOf, encoded, fileAddress, get, type GraphList, type Job, plainPath } from "./api";
import * as keeping from "./commands/keeping";
import type { Open } from "./commands/files";
import { Dialogs } from "./dialogs";
import { draftOf } from "./document/session";
import { say } from "./store";

const BLANK = "graph: 1\ntitle: \ninputs: {}\nnodes: {}\noutputs: {}\n";
const RECENT = 6;
const FOLDERS: Readonly<Record<string, string>> = {
  glide: "GLIDE: from texts to pictures",
  guidance: "Guidance: where a sampler is led",
  unclip: "unCLIP: over embeddings of CLIP",
  variations: "Variations and edits",
  ddpm: "Diffusion at its simplest",
  evaluate: "Evaluations",
  train: "Trainings",
};

interface Graph {
  path: string;
  title: string;
  /** The address of what it makes; empty where nothing is known. */
  picture: string;
  own: boolean;
  draft: boolean;
}

/** All graphs there are, with the newest picture that each made here, or the one that is shipped with it. */
async function readGraphs(): Promise<Graph[]> {
  const [list, live, { jobs }] = await Promise.all([
    get<GraphList>("graphs"),
    get<{ path: string; unsaved: boolean }[]>("live"),
    get<{ jobs: Job[] }>("jobs?limit=200"),
  ]);
  const made = new Map(jobs.toReversed().map((job) => [plainPath(String(job.asked.graph)), job.thumbnail ?? ""]));
  const drafts = new Set(live.filter((one) => one.unsaved).map((one) => one.path));
  const paths = new Set([...list.workspace.map((one) => one.path), ...drafts]);
  const own = [...paths].toSorted().map((path) => ({
    path,
    title: path,
    picture: made.get(plainPath(path)) ? fileAddress(made.get(plainPath(path))!) : "",
    own: true,
    draft: drafts.has(path),
  }));
  const shipped = list.shipped.map(({ path, title, thumbnail }) => ({
    path,
    title,
    picture: thumbnail ? addressOf(`thumbnails/${encoded(path)}`) : "",
    own: false,
    draft: false,
  }));
  return [...own, ...shipped];
}

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
    await deed.catch((problem: Error) => say(problem.message));
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
  const begin = (made: Promise<unknown>) => void made.catch((problem: Error) => say(problem.message));

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

type Deeds = Record<"open" | "rename" | "copy" | "remove", (path: string) => void>;

interface CardsProps {
  title: string;
  graphs: readonly Graph[];
  deeds: Deeds;
  /** Whether they can be renamed, copied and removed. */
  manage?: boolean;
}

function Cards({ title, graphs, deeds, manage = false }: CardsProps) {
  if (!graphs.length) return null;
  const plain = !manage && graphs.every((graph) => !graph.picture);
  return (
    <section aria-label={title}>
      <h2>{title}</h2>
      <ul className={plain ? "cards plain" : "cards"}>
        {graphs.map((graph) => (
          <li key={graph.path}>
            <button className="card" onClick={() => deeds.open(graph.path)}>
              {!plain && (graph.picture ? <img src={graph.picture} alt="" loading="lazy" /> : <Wires />)}
              <b>{graph.title}</b>
              {graph.own ? graph.draft && <small className="warning">not saved</small> : <small>{graph.path}</small>}
            </button>
            <span className="tools">
              <a className="link" href={hashOf(graph.path, "app")} aria-label={`${graph.path} as an app`}>
                App
              </a>
              {manage &&
                (["rename", "copy", "remove"] as const).map((deed) => (
                  <button
                    key={deed}
                    className="link"
                    aria-label={`${LABELS[deed]} ${graph.path}`}
                    onClick={() => deeds[deed](graph.path)}
                  >
                    {LABELS[deed]}
                  </button>
                ))}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

const LABELS = { rename: "Rename", copy: "Copy", remove: "Delete" } as const;

/** What stands where a graph has made no picture yet. */
function Wires() {
  return (
    <svg className="blank" viewBox="0 0 96 56" aria-hidden="true">
      <path d="M32 20 C44 20 44 28 56 28 M32 40 C44 40 44 28 56 28" />
      <rect x="8" y="12" width="24" height="16" rx="3" />
      <rect x="8" y="32" width="24" height="16" rx="3" />
      <rect x="56" y="20" width="32" height="16" rx="3" />
    </svg>
  );
}

function Waiting() {
  return (
    <ul className="cards" aria-label="reads the graphs" aria-busy>
      {Array.from({ length: RECENT }, (_, n) => (
        <li key={n} className="waiting" />
      ))}
    </ul>
  );
}

/** Let the focus go to the nearest card in the direction of an arrow. */
function step(page: HTMLElement, key: string): void {
  const cards = [...page.querySelectorAll<HTMLElement>(".card")];
  if (!cards.includes(document.activeElement as HTMLElement)) return cards[0]?.focus();
  const from = document.activeElement!.getBoundingClientRect();
  const sideways = key === "ArrowLeft" || key === "ArrowRight";
  const sign = key === "ArrowLeft" || key === "ArrowUp" ? -1 : 1;
  if (sideways) return cards[cards.indexOf(document.activeElement as HTMLElement) + sign]?.focus();
  const far = (box: DOMRect) => sign * (box.top - from.top) * 4 + Math.abs(box.left - from.left);
  const beyond = cards.filter((card) => sign * (card.getBoundingClientRect().top - from.top) > 8);
  beyond.toSorted((a, b) => far(a.getBoundingClientRect()) - far(b.getBoundingClientRect()))[0]?.focus();
}
