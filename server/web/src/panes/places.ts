/** Places of the text: those of diagnostics, and those of the graph's entries. */

import type { Text } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import type { TextEdit } from "../api";
import { page } from "../store";

/** The offset of a line and column; both count from 1. */
export function offset(doc: Text, line: number, column: number): number {
  const found = doc.line(Math.max(1, Math.min(line, doc.lines)));
  return Math.min(found.from + Math.max(0, column - 1), found.to);
}

/** The changes of a mend, in this text. */
export function changesOf(doc: Text, fix: readonly TextEdit[]): { from: number; to: number; insert: string }[] {
  return fix.map((edit) => ({
    from: offset(doc, edit.line, edit.column),
    to: offset(doc, edit.end_line, edit.end_column),
    insert: edit.text,
  }));
}

/** Show where an entry of the graph stands in the text. */
export function reveal(view: EditorView, path: string): void {
  const range = page().document?.read.ranges.get(path);
  if (!range || range.to > view.state.doc.length) return;
  view.dispatch({
    selection: { anchor: range.keyFrom },
    effects: EditorView.scrollIntoView(range.keyFrom, { y: "center" }),
  });
  view.focus();
}
