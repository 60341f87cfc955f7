/** The line above: what is open, how it stands to its file, and what is done most. */

import type { Open } from "./commands/files";
import { back } from "./commands/finding";
import type { Session } from "./document/session";
import { PANES } from "./panes/panes";
import { cancel, ENDED, run } from "./running";
import { type DocumentState, togglePane, usePage, useRuns } from "./store";

interface HeaderProps {
  session: Session;
  open: Open;
  onCommands: () => void;
}

export function Header({ session, open, onCommands }: HeaderProps) {
  const document = usePage((page) => page.document)!;
  const pane = usePage((page) => page.pane);
  const trail = usePage((page) => page.trail);
  const there = useRuns((runs) => PANES.flatMap(({ name, when }) => (!when || when(runs) ? name : [])).join(" "));
  return (
    <header className="top">
      <button onClick={() => (location.hash = "#/start")}>Graphs</button>
      <h1>
        {trail.map(({ path, node }, n) => (
          <button key={path} className="link" onClick={() => back(open, trail.length - n)} title={`back to ${node} of ${path}`}>
            {path} ›
          </button>
        ))}
        {document.path}
      </h1>
      <Standing document={document} session={session} />
      <span className="gap" />
      {!document.shipped && (
        <button onClick={() => void session.save()} disabled={!document.unsaved}>
          Save
        </button>
      )}
      {PANES.filter(({ name, seldom }) => !seldom && there.split(" ").includes(name)).map(({ name, label }) => (
        <button key={name} aria-pressed={pane === name} onClick={() => togglePane(name)}>
          {label}
        </button>
      ))}
      <button onClick={onCommands} aria-label="commands" title="all commands: Ctrl K">
        …
      </button>
      <RunButton />
    </header>
  );
}

const LINKS: Readonly<Record<DocumentState["link"], string>> = {
  written: "draft",
  sending: "draft",
  offline: "the server does not answer; what you type is kept here",
  reading: "another tab writes this graph",
  lost: "the draft is not kept: copy your text, and open the graph again",
};

/** How the text stands to its file: always in sight. */
function Standing({ document, session }: { document: DocumentState; session: Session }) {
  const { conflict, link, shipped, unsaved } = document;
  const bad = conflict || link === "offline" || link === "lost";
  const kept = link === "written" || link === "sending";
  const said = conflict ? "conflict" : shipped ? "shipped" : kept && !unsaved ? "saved" : LINKS[link];
  return (
    <span className={`state${bad ? " bad" : ""}`} role="status" aria-label="state of the document">
      {said}
      {link === "reading" && !conflict && <button onClick={() => session.takeOver()}>Take over</button>}
    </span>
  );
}

export function RunButton() {
  const job = useRuns((runs) => runs.job);
  const stopping = useRuns((runs) => runs.stopping);
  const begun = useRuns((runs) => Object.keys(runs.nodes).length > 0);
  const waits = job?.state === "queued" ? "Waits: cancel" : begun ? "Cancel" : "Starts: cancel";
  const [said, title, deed] =
    job && !ENDED.includes(job.state)
      ? [stopping === job.id ? "Stops …" : waits, "Esc", () => cancel(job.id)]
      : ["Run", "Ctrl Enter", () => run()];
  return (
    <button className="main" onClick={() => void deed()} title={title}>
      {said}
    </button>
  );
}
