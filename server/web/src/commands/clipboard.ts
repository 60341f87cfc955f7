/** Nodes go through the clipboard as text: from this graph, from another one, from anywhere. */

import { outputsOf } from "../canvas/flow";
import type { Spot } from "../canvas/view";
import type { End, GraphNode } from "../core/graph";
import { graphOfPiece, pieceOf } from "../core/pieces";
import { refsIn } from "../core/wires";
import { isAsking } from "../dialogs";
import type { Session } from "../document/session";
import { page, say } from "../store";
import { pasted } from "./gestures";
import { graph, remove } from "./selection";

/** How far a copy stands from what it was made of. */
const ASIDE = 40;

/** Copy the selected nodes as text; false where none is selected. */
export function copied(data: DataTransfer): boolean {
  const names = page().selected.filter((id) => graph().nodes.has(id));
  if (names.length) data.setData("text/plain", pieceOf(page().document!.text, names));
  return names.length > 0;
}

/** Put the nodes of a text into the graph, under names that are free; wires from what is not here are left off. */
export function paste(session: Session, text: string): boolean {
  const piece = graphOfPiece(text);
  if (!piece) return false;
  const gone = new Set<string>();
  const known = ({ name, port }: End): boolean => {
    if (piece.nodes.has(name) || graph().inputs.has(name)) return true;
    const outputs = graph().nodes.has(name) ? outputsOf(graph(), page().catalogue!, name) : [];
    return outputs.length > 0 && (!port || outputs.some((one) => one.name === port));
  };
  const nodes = [...piece.nodes.values()].map((node): GraphNode => {
    const ports = [...node.ports].filter(([port, value]) => {
      const lost = refsIn(value).some((ref) => !known(ref));
      if (lost) gone.add(`${node.name}.${port}`);
      return !lost;
    });
    return { ...node, ports: new Map(ports), each: node.each.filter((axis) => refsIn(axis.values).every(known)) };
  });
  const places = [...piece.layout].map(([name, [x, y]]): [string, Spot] => [name, [x + ASIDE, y + ASIDE]]);
  const done = pasted(session, nodes, new Map(places.filter(([name]) => piece.nodes.has(name))));
  if (done && gone.size) say(`what fed ${[...gone].join(", ")} is not in this graph: wire it`);
  return done;
}

/** Whether what is copied or pasted is meant for the canvas. */
function isCanvas({ target }: Event): boolean {
  const typing = target instanceof Element && target.closest("input, textarea, select, .cm-editor, dialog");
  return !typing && !isAsking() && (getSelection()?.isCollapsed ?? true) && page().document !== null;
}

/** Listen to copy, cut and paste of the page; gives what stops that. */
export function listenToClipboard(session: Session): () => void {
  const onCopy = (event: ClipboardEvent) => {
    if (!isCanvas(event) || !event.clipboardData || !copied(event.clipboardData)) return;
    event.preventDefault();
    if (event.type === "cut") remove(session);
  };
  const onPaste = (event: ClipboardEvent) => {
    const text = event.clipboardData?.getData("text/plain") ?? "";
    if (!isCanvas(event) || !text) return;
    event.preventDefault();
    if (!paste(session, text)) say("what is in the clipboard is no node: copy nodes, or their lines of a text");
  };
  const all = [["copy", onCopy], ["cut", onCopy], ["paste", onPaste]] as const;
  for (const [name, heard] of all) document.addEventListener(name, heard);
  return () => {
    for (const [name, heard] of all) document.removeEventListener(name, heard);
  };
}

/** Copy by a command instead of the keys. */
export async function copy(): Promise<void> {
  const names = page().selected.filter((id) => graph().nodes.has(id));
  await navigator.clipboard.writeText(pieceOf(page().document!.text, names));
  say(`${names.join(", ")}: copied as text`);
}

/** Paste by a command instead of the keys. */
export async function pasteHere(session: Session): Promise<void> {
  const text = await navigator.clipboard.readText().catch(() => "");
  if (!text || !paste(session, text)) say("there is no node in the clipboard that this page may read; use Ctrl V");
}
