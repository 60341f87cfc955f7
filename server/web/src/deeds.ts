/** All that can be done to the open graph: what the palette offers, menus show and keys do. */

import { fit } from "./canvas/view";
import { hashOf } from "./address";
import { type Open, saveAs } from "./commands/files";
import { adding } from "./commands/adding";
import { bypass, duplicate, movingWires, splicing } from "./commands/gestures";
import { copy, pasteHere } from "./commands/clipboard";
import { back, finding, innerPath, openInner } from "./commands/finding";
import { closing, dissolve, frameOf, framing, hasNote, isFrame, isNode, noting, unframing, unnote } from "./commands/framing";
import { align, arrangeAnew, chosen, remove, renaming } from "./commands/selection";
import { replacing } from "./commands/replacing";
import { several } from "./commands/several";
import { gathering, spreading } from "./commands/subgraphs";
import { format, showInText } from "./commands/text";
import { wireIn, wireOut } from "./commands/wiring";
import { type Choice, pick, type Place, showShortcuts } from "./dialogs";
import { redo, undo } from "./document/history";
import type { Session } from "./document/session";
import { PANES } from "./panes/panes";
import { cancel, ENDED, run } from "./running";
import { page, togglePane, usePage, useRuns } from "./store";

export interface Deed extends Choice {
  deed: () => unknown;
  /** The keys, as they are shown: `Ctrl Z`; several are parted by a comma. */
  shortcut?: string;
  /** Whether its keys also count while something is typed. */
  anywhere?: boolean;
  /** Whether it stands in the menu of the box that is pointed at. */
  menu?: boolean;
  /** Whether it can be done now. */
  when?: () => boolean;
}

const GESTURES = [
  ["Tab, arrows", "to the next box; move it"],
  ["double click", "add a node there"],
  ["Ctrl C, Ctrl X, Ctrl V", "copy, cut, paste nodes as text"],
  ["Alt and draw", "leave a copy"],
  ["Ctrl and draw from an output", "take its wires along to another output"],
  ["Shift F10, right button, long touch", "what can be done to it"],
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
    { key: "add", words: "new insert create", label: "Add a node", shortcut: "Space, /", deed: () => adding(session) },
    { key: "find", words: "outline list", label: "Find a node", shortcut: "Ctrl F", deed: finding },
    { key: "out", words: "connect link", label: "Wire the selected node to …", shortcut: "C", deed: () => wireOut(session) },
    { key: "in", words: "connect link", label: "Wire … to the selected node", shortcut: "I", deed: () => wireIn(session) },
    { key: "several", words: "sweep grid batch", label: "Try several values of …", shortcut: "V", menu: true, deed: () => several(session) },
    ...ofSelection(session, open),
    { key: "undo", label: "Undo", shortcut: "Ctrl Z", deed: () => undo(session) },
    { key: "redo", label: "Redo", shortcut: "Shift Ctrl Z, Ctrl Y", deed: () => redo(session) },
    { key: "save", label: "Save", shortcut: "Ctrl S", anywhere: true, deed: () => session.save() },
    { key: "saveAs", label: "Save as …", deed: () => saveAs(session, open) },
    { key: "arrange", words: "auto layout tidy", label: "Lay out anew", detail: "forgets all places", deed: () => arrangeAnew(session) },
    { key: "format", label: "Format the text", deed: () => format(session) },
    ...PANES.map(({ name, label, seldom, when }) => ({
      key: name,
      label: seldom ? label : `${label}: show or hide`,
      when: () => !when || when(useRuns.getState()),
      deed: () => togglePane(name),
    })),
    { key: "back", label: "Back to the graph it was opened from", shortcut: "U", when: () => page().trail.length > 0, deed: () => back(open) },
    { key: "paste", label: "Paste nodes", detail: "Ctrl V", deed: () => pasteHere(session) },
    { key: "fit", words: "zoom view", label: "All into sight", shortcut: "H", deed: () => fit() },
    { key: "menu", label: "What can be done to it", shortcut: "Shift F10", when: isChosen, deed: () => menuHere(all) },
    {
      key: "app",
      label: "As an app",
      detail: "inputs and outputs alone",
      deed: () => (location.hash = hashOf(session.path, "app")),
    },
    { key: "commands", label: "All commands", shortcut: "Ctrl K", anywhere: true, deed: () => offer(all) },
    { key: "help", label: "Shortcuts", shortcut: "?", deed: () => showShortcuts(shortcutsOf(all)) },
  ];
  return all;
}

/** What is done to what is selected: the menu of a box. */
function ofSelection(session: Session, open: Open): Deed[] {
  const all: Deed[] = [
    { key: "form", label: "To the form of the selected node", shortcut: "Enter", deed: toForm },
    { key: "show", label: "Show in text", shortcut: "T", deed: () => showInText(session, chosen()) },
    { key: "rename", label: "Rename", shortcut: "F2", deed: () => renaming(session) },
    { key: "replace", words: "swap change", label: "Replace by another type …", shortcut: "R", when: isNode, deed: () => replacing(session) },
    { key: "bypass", words: "disable mute skip", label: "Lead the wires around it", when: isNode, deed: () => bypass(session) },
    { key: "splice", label: "Put into a wire …", when: isNode, deed: () => splicing(session) },
    { key: "wires", label: "Take its wires to another output …", when: isNode, deed: () => movingWires(session) },
    { key: "inner", label: "Open the graph it is made of", shortcut: "O", when: () => Boolean(innerPath()), deed: () => openInner(open) },
    { key: "gather", words: "subgraph group collapse", label: "Make a graph of the selection …", when: isNode, deed: () => gathering(session) },
    { key: "spread", words: "subgraph expand inline ungroup", label: "Put its graph in its place", when: () => Boolean(innerPath()), deed: () => spreading(session) },
    { key: "note", words: "comment", label: "Note …", shortcut: "N", when: isNode, deed: () => noting(session) },
    { key: "unnote", label: "Remove the note", when: hasNote, deed: () => unnote(session) },
    { key: "align", words: "line up", label: "Align the selection", when: () => page().selected.length > 1, deed: () => align(session) },
    { key: "frame", words: "group", label: "Frame the selection …", shortcut: "G", when: () => !isFrame() || page().selected.length > 1, deed: () => framing(session) },
    { key: "unframe", label: "Take out of its frame", when: () => Boolean(frameOf()), deed: () => unframing(session) },
    { key: "dissolve", words: "ungroup", label: "Dissolve the frame", when: isFrame, deed: () => dissolve(session) },
    { key: "close", words: "collapse fold", label: "Draw closed, or open again", shortcut: "X", when: () => isNode() || isFrame(), deed: closing },
    { key: "copy", label: "Copy as text", detail: "Ctrl C", when: isNode, deed: copy },
    { key: "duplicate", words: "clone", label: "Duplicate", shortcut: "Ctrl D", when: isNode, deed: () => duplicate(session) },
    { key: "remove", words: "delete", label: "Remove", shortcut: "Delete, Backspace", deed: () => remove(session) },
  ];
  return all.map((deed) => ({ ...deed, menu: true, when: () => isThere() && (deed.when?.() ?? true) }));
}

const isThere = () => isChosen() || page().wires.length > 0;
const isChosen = () => chosen() !== "";
const shortcutsOf = (deeds: readonly Deed[]) => [
  ...deeds.flatMap(({ shortcut, label }) => (shortcut ? [[shortcut, label] as const] : [])),
  ...GESTURES,
];

/** Where one points at something. */
export type Pointed = Pick<React.MouseEvent, "target" | "clientX" | "clientY" | "preventDefault">;

/** Offer what can be done to the box or wire that is pointed at, or to what is selected. */
export function menuAt(event: Pointed, deeds: readonly Deed[]): void {
  const target = event.target as Element;
  if (target.closest("input, textarea, a[href], img")) return;
  event.preventDefault();
  const id = target.closest(".react-flow__node")?.getAttribute("data-id");
  if (id && !page().selected.includes(id)) usePage.setState({ selected: [id] });
  const { clientX: x, clientY: y } = event;
  void offer(deeds.filter((deed) => (id ? deed.menu : !deed.menu)), { x, y });
}

/** The same for the box that is selected, beside it. */
function menuHere(deeds: readonly Deed[]): void {
  const box = document.querySelector(`.react-flow__node[data-id="${CSS.escape(chosen())}"]`)?.getBoundingClientRect();
  void offer(deeds.filter((deed) => deed.menu), box && { x: box.right, y: box.top });
}

/** Offer the deeds that can be done now, and do the one that is chosen. */
export async function offer(deeds: readonly Deed[], place?: Place): Promise<void> {
  const now = deeds.filter(({ key, when }) => key !== "commands" && (!when || when()));
  const rows = now.map((deed) => ({ ...deed, detail: deed.detail ?? deed.shortcut ?? "" }));
  await (await pick("commands", rows, place))?.deed();
}
