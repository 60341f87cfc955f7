/** Where to begin: what was open, the graphs of the workspace, and those that are shipped, with what they make. */

import { useEffect, useState } from "react";
import { addressOf, encoded, get, type GraphList } from "./api";

interface StartProps {
  onOpen: (path: string) => void;
  onNew: () => void;
  onClose: () => void;
}

export function Start({ onOpen, onNew, onClose }: StartProps) {
  const [found, setFound] = useState<GraphList | null>(null);
  const [drafts, setDrafts] = useState<{ path: string; unsaved: boolean }[]>([]);
  const [said, setSaid] = useState("");
  const [query, setQuery] = useState("");
  useEffect(() => {
    Promise.all([get<GraphList>("graphs"), get<{ path: string; unsaved: boolean }[]>("live")]).then(
      ([graphs, live]) => {
        setFound(graphs);
        setDrafts(live);
      },
      (problem: Error) => setSaid(problem.message),
    );
  }, []);
  const wanted = (text: string) => text.toLowerCase().includes(query.toLowerCase());
  const own = [
    ...new Set([
      ...drafts.filter((draft) => draft.unsaved).map((draft) => draft.path),
      ...(found?.workspace ?? []).map((graph) => graph.path),
    ]),
  ].filter(wanted);
  return (
    <main className="start" onKeyDown={(event) => event.key === "Escape" && onClose()}>
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
        <button onClick={onNew}>New graph</button>
        <button onClick={onClose}>Back</button>
      </header>
      {said && <p className="error">{said}</p>}
      {!found && !said && <p className="quiet">reads the graphs …</p>}
      {own.length > 0 && (
        <section aria-label="yours">
          <h2>Yours</h2>
          <ul className="files">
            {own.map((path) => (
              <li key={path}>
                <button onClick={() => onOpen(path)}>
                  {path}
                  {drafts.some((draft) => draft.path === path && draft.unsaved) && <small> draft</small>}
                </button>
              </li>
            ))}
          </ul>
        </section>
      )}
      <section aria-label="shipped">
        <h2>Shipped: open one, and what you change becomes a draft of yours</h2>
        <ul className="cards">
          {found?.shipped
            .filter((graph) => wanted(`${graph.path} ${graph.title}`))
            .toSorted((a, b) => Number(b.thumbnail) - Number(a.thumbnail))
            .map((graph) => (
              <li key={graph.path}>
                <button onClick={() => onOpen(graph.path)}>
                  {graph.thumbnail ? (
                    <img src={addressOf(`thumbnails/${encoded(graph.path)}`)} alt="" loading="lazy" />
                  ) : (
                    <span className="blank" />
                  )}
                  <b>{graph.title}</b>
                  <small>{graph.path}</small>
                </button>
              </li>
            ))}
        </ul>
      </section>
    </main>
  );
}
