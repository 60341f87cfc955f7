/** The editor of one graph: canvas and text of one document, its inputs, its runs. */

import { ReactFlowProvider } from "@xyflow/react";
import { Suspense, useEffect, useMemo } from "react";
import { Canvas } from "./canvas/Canvas";
import type { Open } from "./commands/files";
import { listenToClipboard } from "./commands/clipboard";
import { deedsOf, menuAt, offer, type Pointed } from "./deeds";
import { Dialogs } from "./dialogs";
import type { Session } from "./document/session";
import { take } from "./dropped";
import { Header } from "./Header";
import { judgeSoon } from "./judging";
import { useKeys } from "./keys";
import { useLongTouch } from "./longTouch";
import { Empty } from "./panes/Empty";
import { Inspector } from "./panes/Inspector";
import { Missing } from "./panes/Missing";
import { PANES } from "./panes/panes";
import { Results } from "./panes/Results";
import { heard } from "./running";
import { usePage } from "./store";
import { lazily } from "./lazily";

const Conflict = lazily(async () => (await import("./panes/Conflict")).Conflict);

export interface EditorProps {
  session: Session;
  open: Open;
}

export function Editor({ session, open }: EditorProps) {
  const conflict = usePage((page) => page.document!.conflict);
  const deeds = useMemo(() => deedsOf(session, open), [session, open]);
  const menu = (at: Pointed) => menuAt(at, deeds);
  const pane = usePage((page) => PANES.find(({ name }) => name === page.pane));
  useFollowing(session);
  useKeys(deeds);
  useEffect(() => listenToClipboard(session), [session]);
  const drop = (event: React.DragEvent) => {
    const file = event.dataTransfer.files[0];
    if (!file) return;
    event.preventDefault();
    void take(file, open);
  };
  return (
    <div
      className={`editor${pane || conflict ? "" : " wide"}`}
      onDragOver={(event) => event.preventDefault()}
      onDrop={drop}
    >
      <Header session={session} open={open} onCommands={() => void offer(deeds)} />
      <aside className="side" aria-label="values">
        <Missing />
        <Inspector session={session} />
        <Results />
      </aside>
      <main className="middle" onContextMenu={menu} {...useLongTouch(menu)}>
        <ReactFlowProvider>
          <Canvas session={session} />
        </ReactFlowProvider>
        <Empty session={session} open={open} />
      </main>
      <Suspense>
        {conflict ? (
          <Conflict session={session} theirs={conflict} />
        ) : pane ? (
          <section className="below" aria-label={pane.title}>
            <pane.Show session={session} open={open} />
          </section>
        ) : null}
      </Suspense>
      <Dialogs />
    </div>
  );
}

/** Hear what the server tells, have the text checked when it has changed, and say in the tab what is open. */
export function useFollowing(session: Session): void {
  const { path, text, unsaved } = usePage((page) => page.document)!;
  const preset = usePage((page) => page.preset);
  const values = usePage((page) => page.values);
  useEffect(
    () =>
      session.events.on((event) => {
        heard(event);
        if (/^job\.(done|failed|cancelled|interrupted)$/.test(event.name)) judgeSoon();
      }),
    [session],
  );
  useEffect(() => judgeSoon(), [text, path, preset, values]);
  useEffect(() => {
    document.title = `${unsaved ? "• " : ""}${path} – nodegraph`;
  }, [path, unsaved]);
}
