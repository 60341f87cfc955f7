/** Places of the text, as diagnostics name them. */

import type { Text } from "@codemirror/state";
import type { TextEdit } from "../api";

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
