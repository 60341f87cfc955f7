/** Pointers over the picture: one paints, two, or the middle button, move it. */

import { type RefObject, useRef } from "react";
import { distance, type Point, pointOf } from "../panes/zoom";
import type { Brush } from "./paint";
import type { Stroke } from "./stroke";

/** The button of a pen that is turned round, and the right one of a mouse. */
const ERASING = 32 | 2;

interface FingersProps {
  stage: RefObject<HTMLDivElement | null>;
  brush: Brush;
  stroke: Stroke;
  /** The place of the mask under a place of the page. */
  place: (at: { clientX: number; clientY: number }) => Point;
  pan: (x: number, y: number) => void;
  zoomAt: (by: number, at: Point) => void;
}

export function useFingers({ stage, brush, stroke, place, pan, zoomAt }: FingersProps) {
  const fingers = useRef(new Map<number, Point>());
  const held = useRef<"paint" | "pan" | null>(null);

  const at = (event: React.PointerEvent): Point => pointOf(event, stage.current!);
  const down = (event: React.PointerEvent) => {
    stage.current!.setPointerCapture(event.pointerId);
    fingers.current.set(event.pointerId, at(event));
    if (fingers.current.size > 1 || event.button === 1) {
      stroke.drop();
      held.current = "pan";
    } else if (!held.current) {
      held.current = "paint";
      stroke.start(place(event), pressed(event, brush));
    }
  };
  const move = (event: React.PointerEvent) => {
    const before = fingers.current.get(event.pointerId);
    if (held.current === "paint" || !before) {
      const way = event.nativeEvent.getCoalescedEvents?.() ?? [];
      for (const one of way.length ? way : [event.nativeEvent]) stroke.go(place(one), pressed(event, brush));
    } else moved(before, event);
    if (before) fingers.current.set(event.pointerId, at(event));
  };
  const moved = (before: Point, event: React.PointerEvent) => {
    const now = at(event);
    const other = [...fingers.current].find(([id]) => id !== event.pointerId)?.[1];
    const share = other ? 2 : 1;
    pan((now.x - before.x) / share, (now.y - before.y) / share);
    if (!other) return;
    const apart = (one: Point) => Math.max(1, distance(one, other));
    zoomAt(apart(now) / apart(before), { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 });
  };
  const up = (event: React.PointerEvent) => {
    fingers.current.delete(event.pointerId);
    if (held.current === "paint") stroke.finish();
    if (fingers.current.size === 0) held.current = null;
  };
  return { onPointerDown: down, onPointerMove: move, onPointerUp: up, onPointerCancel: up };
}

/** The brush as it is held: a pen that is pressed less is thinner. */
function pressed(event: React.PointerEvent, brush: Brush): Brush {
  const pressure = event.pointerType === "pen" && event.pressure ? 0.25 + 0.75 * event.pressure : 1;
  return { ...brush, radius: brush.radius * pressure, erase: brush.erase || Boolean(event.buttons & ERASING) };
}
