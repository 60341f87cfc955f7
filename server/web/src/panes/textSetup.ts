/** How the text pane behaves: YAML, faults underlined with their mends, keys; loaded when the pane is shown. */

import { defaultKeymap, indentWithTab } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { type Diagnostic as Mark, lintGutter, lintKeymap, setDiagnostics } from "@codemirror/lint";
import type { Extension } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, type KeyBinding, keymap, lineNumbers } from "@codemirror/view";
import { classHighlighter } from "@lezer/highlight";
import type { Diagnostic } from "../api";
import { find } from "../core/tree";
import { redo, undo } from "../document/history";
import type { Session } from "../document/session";
import { page } from "../store";
import { offset } from "./places";

const nonce = document.querySelector<HTMLMetaElement>('meta[name="nonce"]')?.content ?? "";
/** What goes back and forth in the history of a view, or of a session that is written in several. */
export const historyKeys = (session?: Session): readonly KeyBinding[] => [
  { key: "Mod-z", run: (view) => undo(session ?? view), preventDefault: true },
  { key: "Mod-y", mac: "Mod-Shift-z", run: (view) => redo(session ?? view), preventDefault: true },
  { linux: "Ctrl-Shift-z", run: (view) => redo(session ?? view), preventDefault: true },
];
/** What all texts look like. */
export const textLook = (label: string): Extension => [
  EditorView.cspNonce.of(nonce),
  EditorView.contentAttributes.of({ "aria-label": label, spellcheck: "false", tabindex: "0" }),
  lineNumbers(),
  yaml(),
  syntaxHighlighting(classHighlighter),
];
const textSetup = [
  textLook("text of the graph"),
  lintGutter(),
  highlightActiveLine(),
  drawSelection(),
  bracketMatching(),
  indentOnInput(),
  indentUnit.of("  "),
  keymap.of([...defaultKeymap, ...historyKeys(), ...lintKeymap, indentWithTab]),
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
export function reveal(session: Session, path: readonly string[]): void {
  const { tree } = page().document!.read;
  const entry = tree && find(tree, path);
  if (!entry || entry.to > session.state.doc.length) return;
  session.dispatch({
    selection: { anchor: entry.keyFrom },
    effects: EditorView.scrollIntoView(entry.keyFrom, { y: "center" }),
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
