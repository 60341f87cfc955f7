/** How the text pane behaves: YAML, faults underlined with their mends, keys; loaded when the pane is shown. */

import { defaultKeymap, historyKeymap, indentWithTab } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { type Diagnostic as Mark, lintGutter, lintKeymap, setDiagnostics } from "@codemirror/lint";
import type { Extension } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { classHighlighter } from "@lezer/highlight";
import type { Diagnostic } from "../api";
import { offset } from "./places";

export const textSetup: Extension = [
  lineNumbers(),
  lintGutter(),
  highlightActiveLine(),
  drawSelection(),
  bracketMatching(),
  indentOnInput(),
  indentUnit.of("  "),
  yaml(),
  syntaxHighlighting(classHighlighter),
  keymap.of([...defaultKeymap, ...historyKeymap, ...lintKeymap, indentWithTab]),
];

/** Underline the faults of the text; they move with it until the next check. */
export function underline(view: EditorView, faults: readonly Diagnostic[], mend: (fault: Diagnostic) => void): void {
  const { doc } = view.state;
  const marks = faults
    .filter((fault) => fault.line)
    .map((fault): Mark => {
      const from = offset(doc, fault.line!, fault.column ?? 1);
      const to = Math.max(from, offset(doc, fault.end_line ?? fault.line!, fault.end_column ?? fault.column ?? 1));
      const actions = fault.fix.length ? [{ name: "Mend", apply: () => mend(fault) }] : [];
      return {
        from,
        to,
        severity: fault.severity,
        source: fault.code,
        message: fault.hint ? `${fault.message}\n${fault.hint}` : fault.message,
        actions,
      };
    });
  view.dispatch(
    setDiagnostics(
      view.state,
      marks.toSorted((a, b) => a.from - b.from),
    ),
  );
}
