/** The open document: one CodeMirror text that the text pane and the canvas change, shared with the server. */

import {
  Annotation,
  ChangeSet,
  type ChangeSpec,
  Compartment,
  EditorState,
  type Extension,
  type Text,
  Transaction,
  type TransactionSpec,
} from "@codemirror/state";
import type { EditorView } from "@codemirror/view";
import { ask, type Draft, encoded, get, type GraphFile, type GraphList, Problem } from "../api";
import { type Edits, Refused } from "../core/edits";
import { readGraph } from "../core/graph";
import { sharing } from "../core/sharing";
import { Events } from "../events";
import { closedOf, EMPTY, keepClosed, page, say, type Theirs, toDocument, UNJUDGED, usePage } from "../store";
import { historyField, isolateHistory } from "./history";
import { RETRY, Sync, type Update } from "./sync";

const FOREIGN = Annotation.define<boolean>();
const FURNITURE = new Compartment();
const HOLD = 5_000;
const KEY = "nodegraph.client";
const CLIENT = clientId();

/** The name of this page among the writers; a page that is loaded again stays who it was, a copy of it does not. */
function clientId(): string {
  const kept = sessionStorage.getItem(KEY);
  sessionStorage.removeItem(KEY);
  window.addEventListener("pagehide", () => sessionStorage.setItem(KEY, CLIENT));
  return kept ?? `tab ${Math.random().toString(36).slice(2, 8)}`;
}

/** An edit of a text, as `core/edits` makes them. */
export type Making = (text: string) => Edits;

let opened = 0;

export class Session {
  readonly id = ++opened;
  state: EditorState;
  /** What shows the text, while it is to be seen. */
  view: EditorView | null = null;
  readonly events: Events;
  private sync: Sync | null = null;
  private readonly beat: ReturnType<typeof setInterval>;
  private draftBegun = false;
  closed = false;

  constructor(
    readonly first: GraphFile & { etag: string | null; draft: Draft | null },
    private readonly moved: (path: string) => void,
    /** Whether it only follows what others write. */
    readonly reader = false,
  ) {
    const text = first.draft?.text ?? first.text;
    this.state = EditorState.create({
      doc: text,
      extensions: [
        EditorState.lineSeparator.of("\n"),
        historyField,
        EditorState.changeFilter.of((tr) => Boolean(tr.annotation(FOREIGN)) || this.mayWrite),
        FURNITURE.of([]),
      ],
    });
    this.show(text);
    this.events = new Events(first.shipped ? "" : first.path, (open) => this.linked(open));
    this.events.on(({ name, data }) => this.heard(name, data));
    if (first.draft) this.share(first.draft);
    this.beat = setInterval(() => this.keep(), HOLD);
  }

  get path(): string {
    return page().document?.path ?? this.first.path;
  }

  get text(): string {
    return this.state.doc.toString();
  }

  get mayWrite(): boolean {
    return !this.sync || this.sync.writer;
  }

  private show(text: string): void {
    const { first } = this;
    usePage.setState({
      document: {
        path: first.path,
        shipped: first.shipped,
        etag: first.etag,
        text: "",
        read: EMPTY,
        readable: true,
        fault: "",
        link: "written",
        unsaved: first.draft?.unsaved ?? false,
        conflict: conflictOf(first),
      },
      judged: UNJUDGED,
      selected: [],
      closed: closedOf(first.path),
      each: {},
      trail: [],
    });
    this.read(text);
  }

  private read(text: string): void {
    const found = readGraph(text);
    const fault = found.faults[0]?.message ?? "";
    if (found.graph && !found.faults.some((f) => f.code !== "structure")) {
      const graph = sharing(page().document!.read.graph, found.graph);
      toDocument({ text, read: { ...found, graph }, readable: true, fault });
    } else toDocument({ text, readable: false, fault });
    usePage.setState((old) => ({ judged: { ...old.judged, stale: true } }));
  }

  private share(draft: Draft): void {
    this.sync = new Sync(
      draft.path,
      CLIENT,
      {
        doc: () => this.state.doc,
        apply: (changes) => this.take(changes),
        replace: (text) => this.take({ from: 0, to: this.state.doc.length, insert: text }),
      },
      draft.version,
      !this.reader && (draft.writer === null || draft.writer === CLIENT),
      (sync, unsaved) => toDocument({ link: sync.link, ...(unsaved === null ? {} : { unsaved }) }),
    );
    toDocument({ link: this.sync.link });
    if (!this.reader) void this.sync.hold();
  }

  private take(changes: ChangeSpec): void {
    this.dispatch({ changes, annotations: [FOREIGN.of(true), Transaction.addToHistory.of(false)] });
  }

  /** Change the text, the selection or what is kept with them; a transaction is taken as it is. */
  readonly dispatch = (what: TransactionSpec | Transaction): void =>
    this.apply([what instanceof Transaction ? what : this.state.update(what)]);

  /** Take transactions of the state as it is now: show them, read the text, and tell the server what was written here. */
  apply(all: readonly Transaction[]): void {
    this.state = all.at(-1)?.state ?? this.state;
    this.view?.update(all);
    if (!all.some((tr) => tr.docChanged)) return;
    this.read(this.text);
    for (const tr of all) {
      if (!tr.docChanged || tr.annotation(FOREIGN)) continue;
      if (this.sync) this.sync.changed(tr.changes);
      else void this.beginDraft();
    }
  }

  /** Give the text what a view of it needs. */
  furnish(extension: Extension): void {
    this.dispatch({ effects: FURNITURE.reconfigure(extension) });
  }

  /** Go on without a view; text, selection and history stay. */
  detach(): void {
    this.view = null;
    this.furnish([]);
  }

  /** The first change of a shipped graph makes a draft in the workspace, below a name that is free. */
  private async beginDraft(): Promise<void> {
    if (this.draftBegun) return;
    this.draftBegun = true;
    try {
      const draft = await freeDraft(this.first.path);
      this.events.follow(draft.path);
      this.share(draft);
      toDocument({ path: draft.path, shipped: false, etag: null, unsaved: true });
      keepClosed(draft.path);
      const { doc } = this.state;
      this.sync?.changed(ChangeSet.of({ from: 0, insert: doc }, 0));
      this.moved(draft.path);
    } catch (problem) {
      this.draftBegun = false;
      toDocument({ link: "offline" });
      say(`the draft is not kept yet: ${(problem as Error).message}`);
      setTimeout(() => !this.closed && void this.beginDraft(), RETRY);
    }
  }

  private linked(open: boolean): void {
    if (open && this.sync) void this.sync.catchUp().then(() => this.sync?.pump());
  }

  private heard(name: string, data: any): void {
    if (data.live !== this.path || !this.sync) return;
    if (name === "live.update") {
      this.sync.receive(data as Update);
      if (data.client === "disk") void this.look("the file was changed by another program");
    } else if (name === "live.writer" && data.writer !== CLIENT) this.sync.lostWriter();
    else if (name === "live.saved") void this.look("");
    else if (name === "live.conflict") toDocument({ conflict: { etag: data.etag, text: data.text } });
  }

  /** Read anew how the document stands to its file. */
  private async look(said: string): Promise<void> {
    const draft = await get<Draft>(`live/${encoded(this.path)}`);
    toDocument({ etag: draft.etag, unsaved: draft.unsaved });
    if (said) say(said);
  }

  private keep(): void {
    if (document.visibilityState === "visible" && !this.reader) void this.sync?.hold();
  }

  takeOver(): void {
    void this.sync?.hold(true);
  }

  /** Change the text as an edit of the canvas. Whether it was done; a refusal is told. `join` folds it into the edit before. */
  edit(make: Making | readonly Making[], join = false): boolean {
    if (!this.mayWrite) {
      say("another tab writes this graph: take over to edit here");
      return false;
    }
    try {
      const changes = composed(this.state.doc, typeof make === "function" ? [make] : make);
      if (changes.empty) return true;
      const mark = join ? [] : [isolateHistory.of("before")];
      this.dispatch({ changes, userEvent: "input.canvas", annotations: mark });
      return true;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      say(error.message);
      return false;
    }
  }

  /** Write the file. Where it was changed meanwhile nothing is written, and both texts are shown. */
  async save(over: string | null = null): Promise<boolean> {
    const document = page().document;
    if (!document) return false;
    if (!this.sync) {
      say("a shipped graph stays as it is: change it, and it becomes a draft of yours");
      return false;
    }
    await this.sync.pump();
    const { version, settled } = this.sync;
    if (!settled) {
      say("what was typed last is not with the server: it is not saved");
      return false;
    }
    const { text } = this;
    const etag = over ?? document.etag;
    const match: Record<string, string> = etag ? { "if-match": etag } : { "if-none-match": "*" };
    try {
      const saved = await ask<GraphFile>("POST", `live/${encoded(document.path)}/save`, { version }, match);
      toDocument({ etag: saved.etag, unsaved: this.text !== text, conflict: null });
      say(`saved ${document.path}`);
      return true;
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      const { etag: now, theirs } = problem.body as { etag?: string; theirs?: string | null };
      if (problem.type === "changed" && now && typeof theirs === "string")
        toDocument({ conflict: { etag: now, text: theirs } });
      else if (problem.type === "changed") {
        toDocument({ etag: null, unsaved: true, conflict: null });
        say(`${document.path} was deleted by another program: save once more, and it is written anew`);
      } else say(problem.message);
      return false;
    }
  }

  /** Let the file's text stand in the place of the draft's; it can be undone. */
  async takeTheirs({ etag, text }: Theirs): Promise<void> {
    this.replace(text);
    toDocument({ etag, conflict: null });
    await this.sync?.pump();
    await this.look("");
  }

  /** Put another text in the place of this one; it can be undone. */
  replace(text: string): void {
    this.dispatch({
      changes: { from: 0, to: this.state.doc.length, insert: text.replaceAll("\r\n", "\n") },
      annotations: isolateHistory.of("full"),
    });
  }

  close(): void {
    this.closed = true;
    clearInterval(this.beat);
    this.sync?.close();
    this.events.close();
  }
}

/** The file, where it was changed since the draft was begun. */
function conflictOf({ draft, etag, text }: Session["first"]): Theirs | null {
  const other = draft?.unsaved && etag && draft.etag !== etag && draft.text !== text.replaceAll("\r\n", "\n");
  return other ? { etag, text } : null;
}

/** Several edits, each of the text that the one before left, as one. */
function composed(doc: Text, makes: readonly Making[]): ChangeSet {
  let all = ChangeSet.empty(doc.length);
  for (const make of makes) {
    const text = all.apply(doc);
    all = all.compose(ChangeSet.of([...make(text.toString())], text.length, "\n"));
  }
  return all;
}

/** Put a text into a draft of its own, below a name that is free. */
export async function draftOf(name: string, text: string): Promise<string> {
  const path = await freePath(name);
  await writeDraft(path, text);
  return path;
}

/** Let a text be the draft of a path. */
export async function writeDraft(path: string, text: string): Promise<void> {
  const draft = await get<Draft>(`live/${encoded(path)}`);
  const insert = text.replaceAll("\r\n", "\n");
  if (draft.text === insert) return;
  const to = draft.text.length;
  const changes = ChangeSet.of({ from: 0, to, insert }, to, "\n").toJSON();
  await ask("POST", `live/${encoded(path)}/updates`, { version: draft.version, client: CLIENT, changes });
}

const freeDraft = async (name: string): Promise<Draft> => get<Draft>(`live/${encoded(await freePath(name))}`);

/** A path of the workspace that is not taken, called as a graph is. */
export async function freePath(name: string): Promise<string> {
  const base = (name.split("/").at(-1) ?? "graph").replace(/(_\d+)?(\.yaml|\.png)?$/, "") || "graph";
  const [files, drafts] = await Promise.all([get<GraphList>("graphs"), get<{ path: string }[]>("live")]);
  const taken = new Set([...files.workspace, ...drafts].map((one) => one.path));
  for (let n = 1; ; n++) {
    const path = n === 1 ? `${base}.yaml` : `${base}_${n}.yaml`;
    if (!taken.has(path)) return path;
  }
}

/** What there is of a path: its file, and its draft where it is of the workspace. */
export async function readFile(path: string): Promise<Session["first"]> {
  if (!path.endsWith(".yaml")) {
    const { found } = await ask<GraphFile>("GET", `graphs/${encoded(path)}`);
    return { ...found, shipped: true, etag: null, draft: null };
  }
  const draft = await get<Draft>(`live/${encoded(path)}`);
  const file = await fileOf(path);
  return file ? { ...file, draft } : { path, text: "", shipped: false, etag: null, draft: { ...draft, unsaved: true } };
}

/** The file of a path of the workspace, with its tag; null where there is none. */
export async function fileOf(path: string): Promise<(GraphFile & { etag: string | null }) | null> {
  try {
    const { found, etag } = await ask<GraphFile>("GET", `graphs/${encoded(path)}`);
    return { ...found, etag };
  } catch (problem) {
    if (!(problem instanceof Problem) || problem.status !== 404) throw problem;
    return null;
  }
}
