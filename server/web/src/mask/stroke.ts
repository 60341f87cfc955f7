/** One stroke at a time, from wherever it comes. */

import { useRef } from "react";
import type { Area, Brush, Mask, Point } from "./paint";

export interface Stroke {
  start: (at: Point, brush: Brush) => void;
  /** Lead the brush to a place; it paints while a stroke goes. */
  go: (to: Point, brush: Brush) => void;
  finish: () => void;
  /** Take back what was begun. */
  drop: () => void;
}

export function useStroke(
  mask: Mask,
  redraw: (area: Area | null) => unknown,
  led: (to: Point) => void,
  done: () => void,
): Stroke {
  const last = useRef<Point | null>(null);
  const go = (to: Point, brush: Brush) => {
    led(to);
    if (!last.current) return;
    redraw(mask.line(last.current, to, brush));
    last.current = to;
  };
  return {
    go,
    start: (at, brush) => {
      mask.begin();
      last.current = at;
      go(at, brush);
    },
    finish: () => {
      if (!last.current) return;
      last.current = null;
      mask.end();
      done();
    },
    drop: () => {
      last.current = null;
      redraw(mask.dropStroke());
    },
  };
}
