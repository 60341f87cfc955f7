/** How the text pane behaves: YAML, faults underlined with their mends, keys; loaded when the pane is shown. */

import { defaultKeymap, indentWithTab } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { type Diagnostic as Mark, lintGutter, lintKeymap, setDiagnostics } from "@codemirror/lint";
import { drawSelection, EditorView, highlightActiveLine, type KeyBinding, keymap, lineNumbers } from "@codemirror/view";
import { classHighlighter } from "@lezer/highlight";
import type { Diagnostic } from "../api";
import { redo, undo } from "../document/history";
import type { Session } from "../document/session";
import { page } from "../store";
import { offset } from "./places";

export const nonce = document.querySelector<HTMLMetaElement>('meta[name="nonce"]')?.content ?? "";
const historyKeys: readonly KeyBinding[] = [
  { key: "Mod-z", run: undo, preventDefault: true },
  { key: "Mod-y", mac: "Mod-Shift-z", run: redo, preventDefault: true },
  { linux: "Ctrl-Shift-z", run: redo, preventDefault: true },
];
const textSetup = [
  EditorView.cspNonce.of(nonce),
  EditorView.contentAttributes.of({ "aria-label": "text of the graph", spellcheck: "false", tabindex: "0" }),
  lineNumbers(),
  lintGutter(),
  highlightActiveLine(),
  drawSelection(),
  bracketMatching(),
  indentOnInput(),
  indentUnit.of("  "),
  yaml(),
  syntaxHighlighting(classHighlighter),
  keymap.of([...defaultKeymap, ...historyKeys, ...lintKeymap, indentWithTab]),
  EditorView.domEventHandlers({
    beforeinput: (event, view) => {
      const command = { historyUndo: undo, historyRedo: redo }[event.inputType];
      if (command) event.preventDefault();
      return command?.(view);
    },
    // Tab goes through the text to what comes next; once something was clicked or typed there it indents, and Esc ends that.
    focus: (_, view) => view.setTabFocusMode(Infinity),
    click: (_, view) => view.setTabFocusMode(false),
  }),
];

/** A view of the session's text in a place of the page, at the cursor. */
export function attached(session: Session, parent: HTMLElement): EditorView {
  session.furnish(textSetup);
  const view = new EditorView({
    state: session.state,
    parent,
    scrollTo: EditorView.scrollIntoView(session.state.selection.main.head, { y: "center" }),
    dispatchTransactions: (all) => session.apply(all),
  });
  session.view = view;
  return view;
}

/** Show where an entry of the graph stands in the text. */
export function reveal(session: Session, path: string): void {
  const range = page().document?.read.ranges.get(path);
  if (!range || range.to > session.state.doc.length) return;
  session.dispatch({
    selection: { anchor: range.keyFrom },
    effects: EditorView.scrollIntoView(range.keyFrom, { y: "center" }),
  });
  session.view?.focus();
}

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
