/** What happens while boxes are moved: their places are kept, a copy is left with Alt, and a free node goes into a wire. */

import { applyNodeChanges, type Edge, type NodeChange, type XYPosition } from "@xyflow/react";
import { type Dispatch, type SetStateAction, useRef, useState } from "react";
import * as edits from "../core/edits";
import type { Graph } from "../core/graph";
import type { Places } from "../core/layout";
import type { Session } from "../document/session";
import { copies, splice, spliced } from "../commands/gestures";
import { page, usePage } from "../store";
import { pinned, type Spot } from "./view";
import { type Box, frameId, nameOf, type Wire } from "./flow";

const STILL = 400;

const spot = ({ x, y }: XYPosition): Spot => [Math.round(x), Math.round(y)];

/** Points of a wire that are looked at. */
const SAMPLES = 24;

/** Whether a wire passes through a rectangle of the screen. */
function passes(path: SVGPathElement, { left, right, top, bottom }: DOMRect): boolean {
  const whole = path.getBoundingClientRect();
  if (whole.right < left || whole.left > right || whole.bottom < top || whole.top > bottom) return false;
  const [length, matrix] = [path.getTotalLength(), path.getScreenCTM()!];
  return Array.from({ length: SAMPLES }, (_, n) => (n / SAMPLES) * length).some((at) => {
    const { x, y } = path.getPointAtLength(at).matrixTransform(matrix);
    return left < x && x < right && top < y && y < bottom;
  });
}

/** The wire below a box into which the node fits. */
function wireBelow(id: string, wires: readonly Edge<Wire>[]): Edge<Wire> | null {
  const box = document.querySelector(`.react-flow__node[data-id="${CSS.escape(id)}"]`)?.getBoundingClientRect();
  if (!box) return null;
  const paths = [...document.querySelectorAll<SVGPathElement>(".react-flow__edge-path")];
  const below = paths.filter((path) => passes(path, box));
  const ids = new Set(below.map((path) => path.closest(".react-flow__edge")?.getAttribute("data-id")));
  return wires.find((wire) => ids.has(wire.id) && spliced(id, wire.data!) !== null) ?? null;
}

/** A frame takes along what stands in it. */
function carried(
  change: NodeChange<Box>,
  graph: Graph,
  boxes: readonly Box[],
  frames: readonly Box[],
): NodeChange<Box>[] {
  const frame = change.type === "position" ? frames.find((one) => one.id === change.id) : undefined;
  if (!frame || change.type !== "position" || !change.position) return frame ? [] : [change];
  const [dx, dy] = [change.position.x - frame.position.x, change.position.y - frame.position.y];
  const names = new Set(graph.frames.get(frame.data.name));
  return boxes
    .filter((box) => names.has(box.id))
    .map((box) => {
      const position = { x: box.position.x + dx, y: box.position.y + dy };
      return { id: box.id, type: "position", position, dragging: change.dragging ?? false };
    });
}

function select(changes: readonly NodeChange<Box>[]): void {
  const chosen = new Set(page().selected);
  for (const change of changes) {
    if (change.type === "select" && change.selected) chosen.add(change.id);
    else if (change.type === "select") chosen.delete(change.id);
  }
  queueMicrotask(() => usePage.setState({ selected: [...chosen] }));
}

/** Write the places of boxes that were moved; not of closed frames, nor of an output that is named as a node is. */
function keep(session: Session, moved: ReadonlyMap<string, Spot>, places: Places): void {
  const { nodes, inputs } = page().document!.read.graph;
  const all = [...moved].flatMap(([id, place]): [string, Spot][] => {
    const was = places.get(id);
    const taken = id.startsWith("output ") && (nodes.has(nameOf(id)) || inputs.has(nameOf(id)));
    const same = was && was[0] === place[0] && was[1] === place[1];
    return taken || same || id.startsWith(frameId("")) ? [] : [[nameOf(id), place]];
  });
  if (all.length) session.edit((text) => edits.moveAll(text, pinned(new Map(all))));
}

/** How boxes move, and what comes of it. */
export function useMoving(
  session: Session,
  graph: Graph,
  places: Places,
  boxes: readonly Box[],
  frames: readonly Box[],
  setBoxes: Dispatch<SetStateAction<Box[]>>,
  wires: readonly Edge<Wire>[],
) {
  const moving = useRef<Map<string, Spot>>(new Map());
  const still = useRef<ReturnType<typeof setTimeout>>(undefined);
  const [target, setTarget] = useState<string | null>(null);
  /** Where the boxes stood of which copies are being drawn away. */
  const copying = useRef<ReadonlyMap<string, XYPosition> | null>(null);

  const changed = (all: NodeChange<Box>[]) => {
    const changes = all.flatMap((change) => carried(change, graph, boxes, frames));
    setBoxes((old) => applyNodeChanges(changes, old));
    for (const change of changes) {
      if (change.type === "position" && change.position && !change.dragging && !copying.current)
        moving.current.set(change.id, spot(change.position));
    }
    if (changes.some((change) => change.type === "select")) select(changes);
    if (!moving.current.size) return;
    clearTimeout(still.current);
    still.current = setTimeout(() => {
      keep(session, moving.current, places);
      moving.current.clear();
    }, STILL);
  };

  const started = (event: { altKey: boolean }, _: Box, dragged: readonly Box[]) => {
    const before = new Map(dragged.map(({ id }) => [id, boxes.find((box) => box.id === id)?.position ?? { x: 0, y: 0 }]));
    copying.current = event.altKey ? before : null;
  };

  const dragged = (_: unknown, box: Box, all: readonly Box[]) =>
    setTarget(all.length === 1 && !copying.current ? (wireBelow(box.id, wires)?.id ?? null) : null);

  const stopped = (_: unknown, box: Box, all: readonly Box[]) => {
    const before = copying.current;
    copying.current = null;
    const wire = wires.find((one) => one.id === target);
    setTarget(null);
    if (before) {
      setBoxes((old) => old.map((one) => ({ ...one, position: before.get(one.id) ?? one.position })));
      copies(
        session,
        new Map(all.map(({ id, position }) => [id, spot(position)])),
        [...before].map(([id, position]) => [nameOf(id), spot(position)]),
      );
    } else if (wire) {
      moving.current.clear();
      splice(session, box.id, wire.data!, spot(box.position));
    }
  };
  return { changed, started, dragged, stopped, target };
}
