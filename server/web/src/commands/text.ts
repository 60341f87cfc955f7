/** What is done to the text as such, and where the canvas leads to it. */

import { type Diagnostic, post } from "../api";
import type { Session } from "../document/session";
import { changesOf } from "../panes/places";
import { page, say, usePage } from "../store";

/** Do what a fault's hint says. */
export function mend(session: Session, fault: Diagnostic): void {
  if (page().judged.stale) return say("the text has changed: wait for the check, then mend");
  session.dispatch({ changes: changesOf(session.state.doc, fault.fix), userEvent: "input.canvas" });
}

/** How long the text may take to be seen. */
const FRAMES = 300;

/** Show where a node stands in the text. */
export async function showInText(session: Session, name: string): Promise<void> {
  usePage.setState({ pane: "text" });
  const { reveal } = await import("../panes/textSetup");
  const shown = (left: number) => {
    if (session.view || !left) reveal(session, ["nodes", name]);
    else requestAnimationFrame(() => shown(left - 1));
  };
  shown(FRAMES);
}

/** Write the text in the form that `nodegraph fmt` gives it. */
export async function format(session: Session): Promise<void> {
  try {
    session.replace((await post<{ text: string }>("format", { text: session.text })).text);
  } catch (problem) {
    say((problem as Error).message);
  }
}
