/** Two texts beside each other, line by line; loaded when there is something to compare. */

import { defaultKeymap } from "@codemirror/commands";
import { goToNextChunk, goToPreviousChunk, MergeView } from "@codemirror/merge";
import { Annotation, EditorState, type Extension } from "@codemirror/state";
import { EditorView, keymap } from "@codemirror/view";
import type { Session } from "../document/session";
import { usePage } from "../store";
import { historyKeys, textLook } from "./textSetup";

const FROM_SESSION = Annotation.define<boolean>();

const look = (label: string): Extension => [
  textLook(label),
  EditorState.lineSeparator.of("\n"),
  EditorView.lineWrapping,
  keymap.of([
    { key: "Alt-ArrowDown", run: goToNextChunk },
    { key: "Alt-ArrowUp", run: goToPreviousChunk },
    ...defaultKeymap,
  ]),
];
const fixed = [EditorState.readOnly.of(true), EditorView.editable.of(false)];
const unix = (text: string) => text.replaceAll("\r\n", "\n");

/** Show how a text became another, neither of which can be changed; returns what ends it. */
export function compare(parent: HTMLElement, before: string, after: string, labels: [string, string]): () => void {
  const view = new MergeView({
    parent,
    a: { doc: unix(before), extensions: [look(labels[0]), fixed] },
    b: { doc: unix(after), extensions: [look(labels[1]), fixed] },
    collapseUnchanged: { margin: 2, minSize: 4 },
  });
  return () => view.destroy();
}

/** Show a text beside the draft, which can be written there, and take over what differs; returns what ends it. */
export function mergeInto(session: Session, parent: HTMLElement, theirs: string): () => void {
  const { state } = session;
  const merge = new MergeView({
    parent,
    a: { doc: unix(theirs), extensions: [look("the file"), fixed] },
    b: { doc: state.doc, extensions: [look("your draft"), writing(session)] },
    revertControls: "a-to-b",
    renderRevertControl: taking,
    collapseUnchanged: { margin: 3, minSize: 6 },
  });
  const stop = usePage.subscribe(() => {
    const { doc } = merge.b.state;
    if (doc.eq(session.state.doc)) return;
    const changes = { from: 0, to: doc.length, insert: session.state.doc };
    merge.b.dispatch({ changes, annotations: FROM_SESSION.of(true) });
  });
  return () => {
    stop();
    merge.destroy();
  };
}

/** What is written in the view is written in the draft; both have the draft's history. */
const writing = (session: Session): Extension => [
  EditorState.changeFilter.of((tr) => Boolean(tr.annotation(FROM_SESSION)) || session.mayWrite),
  EditorView.updateListener.of(({ docChanged, changes, transactions }) => {
    if (docChanged && !transactions.some((tr) => tr.annotation(FROM_SESSION))) session.dispatch({ changes });
  }),
  keymap.of(historyKeys(session)),
];

function taking(): HTMLElement {
  const button = document.createElement("button");
  button.textContent = "→";
  button.title = "take these lines of the file";
  button.setAttribute("aria-label", button.title);
  return button;
}
