/** What is done to the text as such, and where the canvas leads to it. */

import { type Diagnostic, post } from "../api";
import { at } from "../core/graph";
import type { Session } from "../document/session";
import { changesOf, reveal } from "../panes/places";
import { page, say, usePage } from "../store";

/** Do what a fault's hint says. */
export function mend(session: Session, fault: Diagnostic): void {
  if (page().judged.stale) return say("the text has changed: wait for the check, then mend");
  session.view.dispatch({ changes: changesOf(session.view.state.doc, fault.fix), userEvent: "input.canvas" });
}

/** Show where a node stands in the text. */
export function showInText(session: Session, name: string): void {
  usePage.setState({ pane: "text" });
  requestAnimationFrame(() => reveal(session.view, at("nodes", name)));
}

/** Write the text in the form that `nodegraph fmt` gives it. */
export async function format(session: Session): Promise<void> {
  try {
    session.replace((await post<{ text: string }>("format", { text: session.text })).text);
  } catch (problem) {
    say((problem as Error).message);
  }
}
