/** Which deed a key does. */

import { useEffect } from "react";
import type { Deed } from "./deeds";
import { isAsking } from "./dialogs";
import { page, usePage } from "./store";

const NAMES: Readonly<Record<string, string>> = { " ": "Space", Escape: "Esc" };

/** A key as shortcuts name it: `Shift Ctrl Z`. Which keys make a `?` is the keyboard's affair. */
export function strokeOf(event: KeyboardEvent): string {
  const { key } = event;
  const shift = event.shiftKey && (key.length > 1 || /[a-z]/i.test(key)) ? "Shift " : "";
  const alt = event.altKey ? "Alt " : "";
  const control = event.ctrlKey || event.metaKey ? "Ctrl " : "";
  return shift + alt + control + (NAMES[key] ?? (key.length === 1 ? key.toUpperCase() : key));
}

/** Let the keys of the page do deeds. */
export function useKeys(deeds: readonly Deed[]): void {
  useEffect(() => {
    const keys = keysOf(deeds);
    window.addEventListener("keydown", keys, true);
    return () => window.removeEventListener("keydown", keys, true);
  }, [deeds]);
}

/** What listens to the keys of the page and does the deeds; where something is typed, those that count there. */
function keysOf(deeds: readonly Deed[]): (event: KeyboardEvent) => void {
  const bound = new Map(deeds.flatMap((deed) => (deed.shortcut?.split(", ") ?? []).map((keys) => [keys, deed])));
  return (event) => {
    const stroke = strokeOf(event);
    const deed = bound.get(stroke);
    const target = event.target as Element;
    if (!deed || isAsking() || target.closest("dialog") || isTyped(target, stroke, deed)) return;
    if (["Space", "Enter"].includes(stroke) && target.closest("button, a, summary")) return;
    const focused = target.closest(".react-flow__node")?.getAttribute("data-id");
    if (focused && !page().selected.includes(focused)) usePage.setState({ selected: [focused] });
    if (deed.when && !deed.when()) return;
    event.preventDefault();
    event.stopPropagation();
    deed.deed();
  };
}

/** Whether a key belongs to the field that has the focus. Esc in the text is the text's. */
function isTyped(target: Element, stroke: string, deed: Deed): boolean {
  const field = target.closest("input, textarea, select, .cm-editor");
  return Boolean(field && (!deed.anywhere || (stroke === "Esc" && field.matches(".cm-editor"))));
}
