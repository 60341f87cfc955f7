import { useCallback, useEffect, useRef, useState } from "react";
import { Problem } from "./api";
import { readCatalogue } from "./catalogue";
import { draftOf, readFile, Session } from "./document/session";
import { Editor } from "./Editor";
import { Start } from "./Start";
import { judgeSoon } from "./judging";
import { usePage, useRuns } from "./store";

const FIRST = "glide/text_to_image";
const LAST = "nodegraph.last";
const BLANK = "graph: 1\ntitle: \ninputs: {}\nnodes: {}\noutputs: {}\n";

const fromHash = (): string => decodeURIComponent(location.hash.replace(/^#\/?/, ""));
const toHash = (path: string): string => `#/${path.split("/").map(encodeURIComponent).join("/")}`;

/** Opens the graph that the address names, else the one that was open last, else one that runs. */
export function App() {
  const [session, setSession] = useState<Session | null>(null);
  const [starting, setStarting] = useState(fromHash() === "start");
  const [failed, setFailed] = useState("");
  const said = usePage((page) => page.said);
  const current = useRef<Session | null>(null);
  const opening = useRef(0);

  const open = useCallback(async (path: string, values: Record<string, unknown> = {}) => {
    setFailed("");
    const mine = ++opening.current;
    try {
      const [file, catalogue] = await Promise.all([readFile(path), usePage.getState().catalogue ?? readCatalogue()]);
      if (mine !== opening.current) return;
      usePage.setState({ catalogue, values, preset: "" });
      useRuns.setState({ job: null, nodes: {}, outputs: {}, fetched: {} });
      history.replaceState(null, "", toHash(path));
      localStorage.setItem(LAST, path);
      const moved = (to: string) => {
        history.replaceState(null, "", toHash(to));
        localStorage.setItem(LAST, to);
      };
      current.current?.close();
      current.current = new Session(file, moved);
      setSession(current.current);
      setStarting(false);
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      if (problem.status === 404 && path !== FIRST) return open(FIRST);
      setFailed(problem.message);
    }
  }, []);

  useEffect(() => {
    const named = fromHash();
    void open(named && named !== "start" ? named : (localStorage.getItem(LAST) ?? FIRST)).then(
      () => named === "start" && setStarting(true),
    );
    const changed = () => (fromHash() === "start" ? setStarting(true) : void open(fromHash()));
    window.addEventListener("hashchange", changed);
    return () => window.removeEventListener("hashchange", changed);
  }, [open]);

  useEffect(
    () =>
      session?.events.on(({ name }) => {
        if (name === "catalogue")
          void readCatalogue().then((catalogue) => {
            usePage.setState({ catalogue });
            judgeSoon();
          });
      }),
    [session],
  );

  if (failed) {
    return (
      <main className="start">
        <p className="error">{failed}</p>
        <button onClick={() => location.reload()}>Try again</button>
      </main>
    );
  }
  if (!session) return <p className="start quiet">opens the graph …</p>;
  return (
    <>
      {starting ? (
        <Start
          onOpen={(path) => void open(path)}
          onNew={() => void draftOf("graph", BLANK).then((path) => open(path))}
          onClose={() => setStarting(false)}
        />
      ) : (
        <Editor
          key={session.id}
          session={session}
          onOpen={open}
          onStart={() => setStarting(true)}
        />
      )}
      {said && (
        <p className="said" role="alert">
          {said}
        </p>
      )}
    </>
  );
}
