/** What can stand below the canvas, one at a time. */

import type { ComponentType } from "react";
import type { Open } from "../commands/files";
import type { Session } from "../document/session";
import type { useRuns } from "../store";
import { TextPane } from "./TextPane";
import { lazily } from "../lazily";

export interface PaneProps {
  session: Session;
  open: Open;
}
export interface Pane {
  name: string;
  /** What its button says. */
  label: string;
  /** What it is, for who does not see it. */
  title: string;
  Show: ComponentType<PaneProps>;
  /** Whether it is asked for seldom, and has no button of its own. */
  seldom?: boolean;
  /** Whether there is something to see; always where this is not said. */
  when?: (runs: ReturnType<typeof useRuns.getState>) => boolean;
}

const Curves = lazily(async () => (await import("./Curves")).Curves);
const Runs = lazily(async () => (await import("./Runs")).Runs);
const Saves = lazily(async () => (await import("./Saves")).Saves);
const Sheet = lazily(async () => (await import("./Sheet")).Sheet);

/** Those that one needs at once are loaded with the page, others by `lazy`. Each is a button: there are few. */
export const PANES: readonly Pane[] = [
  { name: "text", label: "Text", title: "text", Show: TextPane },
  { name: "runs", label: "Runs", title: "queue and history", Show: Runs },
  { name: "saves", label: "Revert to a save", title: "saves", Show: Saves, seldom: true },
  { name: "sheet", label: "Sheet", title: "sheet of a sweep", Show: Sheet, when: ({ job }) => job?.kind === "sweep" },
  { name: "curves", label: "Curves", title: "curves", Show: Curves, when: ({ metrics }) => Object.keys(metrics).length > 0 },
];
