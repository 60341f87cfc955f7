import { Suspense, useCallback, useEffect, useRef, useState } from "react";
import { hashOf, noteRecent, readAddress, recents } from "./address";
import { Problem } from "./api";
import { readCatalogue } from "./catalogue";
import { readFile, Session } from "./document/session";
import { Editor } from "./Editor";
import { filled, keepFilled, UNFILLED } from "./filled";
import { judgeSoon } from "./judging";
import { useLooking } from "./panes/looking";
import { showAgain } from "./running";
import { NO_RUN, usePage, useRuns } from "./store";
import { lazily } from "./lazily";

const AppView = lazily(async () => (await import("./AppView")).AppView);
const Viewer = lazily(async () => (await import("./panes/Viewer")).Viewer);
const Start = lazily(async () => (await import("./start/Start")).Start);

const FIRST = "glide/text_to_image";
/** Opens the graph that the address names, else the one that was open last, else one that runs. */
export function App() {
  const [session, setSession] = useState<Session | null>(null);
  const [view, setView] = useState(() => readAddress(location.hash).view);
  const [failed, setFailed] = useState("");
  const looking = useLooking(({ now }) => now !== null);
  const said = usePage((page) => page.said);
  const current = useRef<Session | null>(null);
  const opening = useRef(0);

  const open = useCallback(
    async (path: string, values?: Record<string, unknown>, as: "editor" | "app" = "editor"): Promise<void> => {
      setFailed("");
      const mine = ++opening.current;
      try {
        const [file, catalogue] = await Promise.all([readFile(path), usePage.getState().catalogue ?? readCatalogue()]);
        if (mine !== opening.current) return;
        const form = values ? { ...UNFILLED, values } : filled(path);
        usePage.setState({ catalogue });
        useRuns.setState(NO_RUN);
        const moved = (to: string) => {
          history.replaceState(null, "", hashOf(to, as));
          noteRecent(to);
        };
        moved(path);
        current.current?.close();
        current.current = new Session(file, moved, as === "app");
        usePage.setState(form);
        setSession(current.current);
        setView(as);
        if (mine === 1) await showAgain(path);
      } catch (problem) {
        if (!(problem instanceof Problem)) throw problem;
        if (problem.status !== 404 || path === FIRST) return setFailed(problem.message);
        noteRecent(path, false);
        return open(FIRST, undefined, as);
      }
    },
    [],
  );

  const leave = useCallback(() => {
    current.current?.close();
    current.current = null;
    setSession(null);
  }, []);

  useEffect(keepFilled, []);

  useEffect(() => {
    const follow = () => {
      const to = readAddress(location.hash);
      const { document } = usePage.getState();
      if (to.view === "start") return setView("start");
      const same = current.current && (!to.path || document?.path === to.path);
      if (same && current.current!.reader === (to.view === "app")) return setView(to.view);
      void open(to.path || (recents()[0] ?? FIRST), undefined, to.view);
    };
    follow();
    window.addEventListener("hashchange", follow);
    return () => window.removeEventListener("hashchange", follow);
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
  return (
    <>
      <Suspense fallback={<p className="start quiet">opens …</p>}>
        {view === "start" ? (
          <Start open={open} current={session?.path ?? null} leave={leave} />
        ) : !session ? (
          <p className="start quiet">opens the graph …</p>
        ) : view === "app" ? (
          <AppView key={session.id} session={session} open={open} />
        ) : (
          <Editor key={session.id} session={session} open={open} />
        )}
        {looking && <Viewer open={open} />}
      </Suspense>
      {said && (
        <p className="said" role="alert">
          {said}
        </p>
      )}
    </>
  );
}
