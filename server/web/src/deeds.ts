/** All that can be done to the open graph: what the palette offers, menus show and keys do. */

import { type Open, saveAs } from "./commands/files";
import { adding } from "./commands/adding";
import { duplicate } from "./commands/gestures";
import { arrangeAnew, chosen, remove, renaming } from "./commands/selection";
import { format, showInText } from "./commands/text";
import { wireIn, wireOut } from "./commands/wiring";
import { type Place, pick, showShortcuts } from "./dialogs";
import { redo, undo } from "./document/history";
import type { Session } from "./document/session";
import { PANES } from "./panes/panes";
import type { Choice } from "./Picker";
import { cancel, ENDED, run } from "./running";
import { togglePane, useRuns } from "./store";

export interface Deed extends Choice {
  deed: () => unknown;
  /** The keys, as they are shown: `Ctrl Z`; several are parted by a comma. */
  shortcut?: string;
  /** Whether its keys also count while something is typed. */
  anywhere?: boolean;
  /** Whether it can be done now. */
  when?: () => boolean;
}

const GESTURES = [
  ["Tab, arrows", "to the next box; move it"],
  ["double click", "add a node there"],
] as const;

const running = () => {
  const job = useRuns.getState().job;
  return job && !ENDED.includes(job.state) ? job : null;
};
const toForm = () =>
  requestAnimationFrame(() =>
    document.querySelector<HTMLElement>(".side input, .side select, .side textarea, .side button")?.focus(),
  );

/** The deeds of a session; `open` opens another graph. */
export function deedsOf(session: Session, open: Open): readonly Deed[] {
  const all: Deed[] = [
    { key: "run", label: "Run", shortcut: "Ctrl Enter", anywhere: true, deed: () => run() },
    {
      key: "until",
      label: "Run up to the selected node",
      shortcut: "Shift Ctrl Enter",
      anywhere: true,
      deed: () => run(chosen() || null),
    },
    {
      key: "cancel",
      label: "Cancel the run",
      shortcut: "Esc",
      anywhere: true,
      when: () => Boolean(running()),
      deed: () => cancel(running()!.id),
    },
    { key: "add", label: "Add a node", shortcut: "Space, /", deed: () => adding(session) },
    { key: "out", label: "Wire the selected node to …", shortcut: "C", deed: () => wireOut(session) },
    { key: "in", label: "Wire … to the selected node", shortcut: "I", deed: () => wireIn(session) },
    { key: "form", label: "To the form of the selected node", shortcut: "Enter", when: isChosen, deed: toForm },
    { key: "show", label: "Show in text", shortcut: "T", when: isChosen, deed: () => showInText(session, chosen()) },
    { key: "rename", label: "Rename", shortcut: "F2", when: isChosen, deed: () => renaming(session) },
    { key: "duplicate", label: "Duplicate", shortcut: "Ctrl D", deed: () => duplicate(session) },
    { key: "remove", label: "Remove", shortcut: "Delete, Backspace", deed: () => remove(session) },
    { key: "undo", label: "Undo", shortcut: "Ctrl Z", deed: () => undo(session) },
    { key: "redo", label: "Redo", shortcut: "Shift Ctrl Z, Ctrl Y", deed: () => redo(session) },
    { key: "save", label: "Save", shortcut: "Ctrl S", anywhere: true, deed: () => session.save() },
    { key: "saveAs", label: "Save as …", deed: () => saveAs(session, open) },
    { key: "arrange", label: "Lay out anew", detail: "forgets all places", deed: () => arrangeAnew(session) },
    { key: "format", label: "Format the text", deed: () => format(session) },
    ...PANES.map(({ name, label, seldom }) => ({
      key: name,
      label: seldom ? label : `${label}: show or hide`,
      deed: () => togglePane(name),
    })),
    { key: "commands", label: "All commands", shortcut: "Ctrl K", anywhere: true, deed: () => offer(all) },
    { key: "help", label: "Shortcuts", shortcut: "?", deed: () => showShortcuts(shortcutsOf(all)) },
  ];
  return all;
}

const isChosen = () => chosen() !== "";
const shortcutsOf = (deeds: readonly Deed[]) => [
  ...deeds.flatMap(({ shortcut, label }) => (shortcut ? [[shortcut, label] as const] : [])),
  ...GESTURES,
];

/** Offer the deeds that can be done now, and do the one that is chosen. */
export async function offer(deeds: readonly Deed[], place?: Place): Promise<void> {
  const now = deeds.filter(({ key, when }) => key !== "commands" && (!when || when()));
  const rows = now.map((deed) => ({ ...deed, detail: deed.detail ?? deed.shortcut ?? "" }));
  await (await pick("commands", rows, place))?.deed();
}
