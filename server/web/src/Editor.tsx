/** The editor of one graph: canvas and text of one document, its inputs, its runs. */

import { redo, undo } from "@codemirror/commands";
import { ReactFlowProvider } from "@xyflow/react";
import { lazy, Suspense, useCallback, useEffect, useMemo, useState } from "react";
import { ask, type Diagnostic, encoded, get, type Job, post, Problem } from "./api";
import { Ask } from "./Ask";
import { Canvas } from "./canvas/Canvas";
import { nameOf, outputsOf } from "./canvas/flow";
import { type End, wantsPart } from "./canvas/typing";
import * as commands from "./commands";
import { at } from "./core/graph";
import { draftOf, type Session } from "./document/session";
import { Help } from "./Help";
import { judgeSoon } from "./judging";
import { Inspector } from "./panes/Inspector";
import { Missing } from "./panes/Missing";
import { Results, Runs } from "./panes/Runs";
import { TextPane } from "./panes/TextPane";
import { changesOf, reveal } from "./panes/places";
import { type Choice, Picker, type PickerProps } from "./Picker";
import { cancel, ENDED, heard, run } from "./running";
import { type DocumentState, page, say, usePage, useRuns } from "./store";

const Conflict = lazy(async () => ({ default: (await import("./panes/Conflict")).Conflict }));

interface Asking {
  title: string;
  choices: PickerProps["choices"];
  at?: { x: number; y: number };
  onPick: (choice: Choice) => void;
}
interface Question {
  title: string;
  initial: string;
  onDone: (typed: string) => void;
}
type Pane = "text" | "runs" | "none";

export interface EditorProps {
  session: Session;
  onOpen: (path: string, values?: Record<string, unknown>) => void;
  onStart: () => void;
}

export function Editor({ session, onOpen, onStart }: EditorProps) {
  const document = usePage((page) => page.document)!;
  const preset = usePage((page) => page.preset);
  const [asking, setAsking] = useState<Asking | null>(null);
  const [question, setQuestion] = useState<Question | null>(null);
  const [pane, setPane] = useState<Pane>("text");
  const [help, setHelp] = useState(false);

  useEffect(
    () =>
      session.events.on((event) => {
        heard(event);
        if (event.name === "job.done") judgeSoon();
      }),
    [session],
  );
  useEffect(() => judgeSoon(), [document.text, document.path, preset]);
  useEffect(() => {
    window.document.title = `${document.unsaved ? "• " : ""}${document.path} – nodegraph`;
  }, [document.path, document.unsaved]);

  const mend = useCallback(
    (fault: Diagnostic) => {
      if (page().judged.stale) return say("the text has changed: wait for the check, then mend");
      session.view.dispatch({ changes: changesOf(session.view.state.doc, fault.fix), userEvent: "input.canvas" });
    },
    [session],
  );
  const showInText = useCallback(
    (name: string) => {
      setPane("text");
      requestAnimationFrame(() => reveal(session.view, at("nodes", name)));
    },
    [session],
  );

  const pick = (
    title: string,
    choices: PickerProps["choices"],
    onPick: (choice: Choice) => void,
    place?: { x: number; y: number },
  ) =>
    setAsking({
      title,
      choices,
      ...(place ? { at: place } : {}),
      onPick: (choice) => {
        setAsking(null);
        onPick(choice);
      },
    });
  const ask_ = (title: string, initial: string, onDone: (typed: string) => void) =>
    setQuestion({
      title,
      initial,
      onDone: (typed) => {
        setQuestion(null);
        onDone(typed);
      },
    });

  const adding = (place?: { x: number; y: number }, flow?: { x: number; y: number }) =>
    pick("add a node", commands.additions, (choice) => commands.add(session, choice, flow ?? null), place);
  const wired = (source: End, node: string, port: string) => {
    const { document, catalogue } = page();
    if (!wantsPart(document!.read.graph, catalogue!, source, node, port))
      return void commands.wire(session, source, node, port);
    const parts = commands.partsOf(source.name).map((part): Choice => ({ key: part, label: part }));
    pick(`which part of ${source.name}`, parts, (choice) =>
      commands.wire(session, { ...source, port: choice.key }, node, port),
    );
  };
  const wiring = (node: string, port: string) =>
    pick(`what feeds ${port} of ${node}`, commands.sources(node, port), (choice) => {
      const [name = "", out] = choice.key.split(" ");
      wired({ name, port: out || null }, node, port);
    });
  const leading = (source: End, over: string | null = null, place?: { x: number; y: number }) => {
    const choices = commands.targets(source).filter((choice) => !over || choice.key.startsWith(`${over} `));
    pick(
      `wire ${source.name} to`,
      choices,
      (choice) => {
        const [node = "", port] = choice.key.split(" ");
        if (node === "output") commands.wireOutput(session, source, port);
        else wired(source, node, port!);
      },
      place,
    );
  };
  const dropped = (
    source: End | null,
    target: { node: string; port: string } | null,
    over: string | null,
    place: { x: number; y: number },
    flow: { x: number; y: number },
  ) => {
    if (over && source) leading(source, over, place);
    else if (!over)
      pick(
        source ? "what takes it" : "what gives it",
        (query) => commands.fitting(query, source, target),
        (choice) => commands.addWired(session, choice, source, target, flow),
        place,
      );
  };

  const chosen = (): string => page().selected[0] ?? "";
  const known = () => page().document!.read.graph;
  const wireOut = () => {
    const name = chosen();
    if (known().inputs.has(name)) return leading({ name, port: null });
    if (!known().nodes.has(name)) return say("select a node, then C wires what it gives");
    const outputs = outputsOf(known(), page().catalogue!, name);
    if (outputs.length === 1) return leading({ name, port: null });
    pick(
      `which output of ${name}`,
      outputs.map((port, n) => ({ key: n ? port.name : "", label: port.name, detail: port.type })),
      (choice) => leading({ name, port: choice.key || null }),
    );
  };
  const wireIn = () => {
    const name = chosen();
    const type = known().nodes.get(name)?.type;
    if (!type) return say("select a node, then I wires something to it");
    const ports = page().catalogue!.nodes.get(type)?.inputs ?? [];
    pick(
      `which port of ${name}`,
      ports.map((port) => ({ key: port.name, label: port.name, detail: port.type })),
      (choice) => wiring(name, choice.key),
    );
  };
  const renaming = () => {
    const id = chosen();
    if (id) ask_(`new name of ${nameOf(id)}`, nameOf(id), (to) => commands.rename(session, id, to));
  };
  const saveAs = (
    initial = document.path.endsWith(".yaml") ? document.path : `${document.path.split("/").at(-1)}.yaml`,
  ) =>
    ask_("save as", initial, async (typed) => {
      const to = typed.endsWith(".yaml") ? typed : `${typed}.yaml`;
      try {
        await ask("PUT", `graphs/${encoded(to)}`, { text: session.text }, { "if-none-match": "*" });
        onOpen(to, { ...page().values });
      } catch (problem) {
        say((problem as Error).message);
      }
    });
  const revert = async () => {
    const saves = await get<{ time: number; text: string }[]>(`graphs/${encoded(document.path)}/saves`);
    const rows = saves.map((one, n): Choice => ({
      key: String(n),
      label: new Date(one.time * 1000).toLocaleString(),
      detail: n === 0 ? "the last save" : `${one.text.split("\n").length} lines`,
    }));
    pick("go back to a save", rows, (choice) => session.replace(saves[Number(choice.key)]!.text));
  };
  const copyAway = async () => onOpen(await draftOf(document.path, session.text));
  const format = async () => {
    try {
      session.replace((await post<{ text: string }>("format", { text: session.text })).text);
    } catch (problem) {
      say((problem as Error).message);
    }
  };
  const openJob = async (job: Job) => {
    const whole = await get<Job>(`jobs/${job.id}`);
    if (whole.text)
      onOpen(await draftOf(String(whole.asked.graph ?? "graph"), whole.text), {
        ...((whole.asked.inputs as object) ?? {}),
        ...whole.seeds,
      });
  };

  const all: (Choice & { deed: () => unknown })[] = [
    { key: "run", label: "Run", detail: "Ctrl Enter", deed: () => run() },
    {
      key: "until",
      label: "Run up to the selected node",
      detail: "Shift Ctrl Enter",
      deed: () => run(chosen() || null),
    },
    { key: "add", label: "Add a node", detail: "Space", deed: () => adding() },
    { key: "out", label: "Wire the selected node to …", detail: "C", deed: wireOut },
    { key: "in", label: "Wire … to the selected node", detail: "I", deed: wireIn },
    { key: "rename", label: "Rename", detail: "F2", deed: renaming },
    { key: "duplicate", label: "Duplicate", detail: "Ctrl D", deed: () => commands.duplicate(session) },
    { key: "remove", label: "Remove", detail: "Delete", deed: () => commands.remove(session) },
    { key: "undo", label: "Undo", detail: "Ctrl Z", deed: () => undo(session.view) },
    { key: "redo", label: "Redo", detail: "Shift Ctrl Z", deed: () => redo(session.view) },
    { key: "save", label: "Save", detail: "Ctrl S", deed: () => session.save() },
    { key: "saveAs", label: "Save as …", deed: () => saveAs() },
    { key: "revert", label: "Revert to a save …", deed: revert },
    { key: "arrange", label: "Lay out anew", detail: "forgets all places", deed: () => commands.arrangeAnew(session) },
    { key: "format", label: "Format the text", deed: format },
    { key: "help", label: "Shortcuts", detail: "?", deed: () => setHelp(true) },
  ];
  const menu = () => pick("commands", all, (choice) => void (choice as (typeof all)[number]).deed());

  const keys = (event: KeyboardEvent) => {
    const typing = (event.target as Element).closest("input, textarea, select, .cm-editor");
    const control = event.ctrlKey || event.metaKey;
    const deed = control
      ? controlled(event, Boolean(typing))
      : (typing && (event.key !== "Escape" || typing.matches(".cm-editor"))) || event.altKey
        ? null
        : plainKey(event);
    if (!deed) return;
    event.preventDefault();
    event.stopPropagation();
    deed();
  };
  const controlled = (event: KeyboardEvent, typing: boolean): (() => unknown) | null => {
    if (event.key === "Enter") return () => run(event.shiftKey ? chosen() || null : null);
    if (event.key === "s") return () => session.save();
    if (event.key === "k") return menu;
    if (typing) return null;
    if (event.key === "z") return () => undo(session.view);
    if (event.key === "Z" || event.key === "y") return () => redo(session.view);
    return event.key === "d" ? () => commands.duplicate(session) : null;
  };
  const plainKey = (event: KeyboardEvent): (() => unknown) | null => {
    const button = (event.target as Element).closest("button, a, summary");
    if (event.key === "Escape") return () => stopping();
    if (button && [" ", "Enter"].includes(event.key)) return null;
    const focused = (event.target as Element).closest(".react-flow__node")?.getAttribute("data-id");
    if (focused && !page().selected.includes(focused)) usePage.setState({ selected: [focused] });
    const deeds: Record<string, () => unknown> = {
      " ": () => adding(),
      "/": () => adding(),
      c: wireOut,
      i: wireIn,
      t: () => showInText(chosen()),
      F2: renaming,
      Delete: () => commands.remove(session),
      Backspace: () => commands.remove(session),
      "?": () => setHelp(true),
    };
    if (event.key === "Enter" && focused)
      return () =>
        requestAnimationFrame(() =>
          window.document
            .querySelector<HTMLElement>(".side input, .side select, .side textarea, .side button")
            ?.focus(),
        );
    return deeds[event.key] ?? null;
  };
  const stopping = () => {
    const job = useRuns.getState().job;
    if (job && !ENDED.includes(job.state)) void cancel(job.id);
  };
  useEffect(() => {
    if (asking || question || help) return;
    window.addEventListener("keydown", keys, true);
    return () => window.removeEventListener("keydown", keys, true);
  });

  const drop = async (event: React.DragEvent) => {
    const file = event.dataTransfer.files[0];
    if (!file) return;
    event.preventDefault();
    await take(file, onOpen);
  };

  const picker = useMemo(
    () => asking && <Picker key={asking.title} {...asking} onClose={() => setAsking(null)} />,
    [asking],
  );
  return (
    <div
      className={`editor${pane === "none" ? " wide" : ""}`}
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => void drop(event)}
    >
      <header className="top">
        <button onClick={onStart}>Graphs</button>
        <h1>{document.path}</h1>
        <Standing document={document} session={session} />
        <span className="gap" />
        {!document.shipped && (
          <button onClick={() => void session.save()} disabled={!document.unsaved}>
            Save
          </button>
        )}
        <button aria-pressed={pane === "text"} onClick={() => setPane(pane === "text" ? "none" : "text")}>
          Text
        </button>
        <button aria-pressed={pane === "runs"} onClick={() => setPane(pane === "runs" ? "none" : "runs")}>
          Runs
        </button>
        <button onClick={menu} aria-label="commands" title="all commands: Ctrl K">
          …
        </button>
        <RunButton />
      </header>
      <aside className="side" aria-label="values">
        <Missing />
        <Inspector session={session} onWire={wiring} />
        <Results />
      </aside>
      <main className="middle">
        <ReactFlowProvider>
          <Canvas
            session={session}
            onDropped={dropped}
            onAdd={adding}
            onWired={wired}
            mend={mend}
            showInText={showInText}
          />
        </ReactFlowProvider>
      </main>
      {pane !== "none" && (
        <section className="below" aria-label={pane === "text" ? "text" : "queue and history"}>
          {pane === "text" ? <TextPane session={session} mend={mend} /> : <Runs onOpen={(job) => void openJob(job)} />}
        </section>
      )}
      {document.conflict && (
        <Suspense>
          <Conflict session={session} onCopy={() => void copyAway()} />
        </Suspense>
      )}
      {picker}
      {question && <Ask {...question} onClose={() => setQuestion(null)} />}
      {help && <Help onClose={() => setHelp(false)} />}
    </div>
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
  if (document.conflict) {
    return (
      <span className="state bad" role="status" aria-label="state of the document">
        conflict
      </span>
    );
  }
  const bad = document.link === "offline" || document.link === "lost";
  const said = document.shipped
    ? "shipped"
    : document.link === "written" || document.link === "sending"
      ? document.unsaved
        ? "draft"
        : "saved"
      : LINKS[document.link];
  return (
    <span className={`state${bad ? " bad" : ""}`} role="status" aria-label="state of the document">
      {said}
      {document.link === "reading" && <button onClick={() => session.takeOver()}>Take over</button>}
    </span>
  );
}

function RunButton() {
  const job = useRuns((runs) => runs.job);
  if (job && !ENDED.includes(job.state)) {
    return (
      <button className="main" onClick={() => void cancel(job.id)} title="Esc">
        {job.state === "queued" ? "Waits: cancel" : "Cancel"}
      </button>
    );
  }
  return (
    <button className="main" onClick={() => void run()} title="Ctrl Enter">
      Run
    </button>
  );
}

/** A file that was dropped: a picture of ours or a text opens its graph, another picture is an input. */
async function take(file: File, onOpen: EditorProps["onOpen"]): Promise<void> {
  try {
    if (/\.ya?ml$/.test(file.name)) return onOpen(await draftOf(file.name.replace(/\.ya?ml$/, ""), await file.text()));
    const found = await ask<{ name: string; text: string; inputs: Record<string, unknown> }>(
      "POST",
      "picture",
      file,
    ).catch((problem) => {
      if (problem instanceof Problem && problem.type === "no-graph") return null;
      throw problem;
    });
    if (found) return onOpen(await draftOf(found.found.name, found.found.text), found.found.inputs);
    const input = [...page().document!.read.graph.inputs.values()].find((one) =>
      ["Image", "PictureFile"].includes(one.type),
    );
    if (!input) return say("this picture tells no graph, and this graph takes no picture");
    const form = new FormData();
    form.append("file", file);
    const kept = await post<{ file: string }>("uploads", form);
    usePage.setState((old) => ({ values: { ...old.values, [input.name]: { file: kept.file } } }));
  } catch (problem) {
    say((problem as Error).message);
  }
}
