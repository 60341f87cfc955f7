/** A long touch asks for the menu, as the right button does; not every browser tells of it. */

import { useRef } from "react";
import { isAsking } from "./dialogs";
import type { Pointed } from "./deeds";

/** How long one touches, in ms, and how far the finger may move meanwhile, in pixels. */
const LONG = 500;
const STILL = 10;

/** What listens for it. */
export function useLongTouch(menu: (at: Pointed) => void) {
  const begun = useRef<{ time: number; x: number; y: number } | null>(null);
  return {
    onTouchStartCapture: ({ touches, timeStamp: time }: React.TouchEvent) => {
      const { clientX: x, clientY: y } = touches[0]!;
      begun.current = touches.length === 1 ? { time, x, y } : null;
    },
    onTouchEndCapture: (event: React.TouchEvent) => {
      const { time, x, y } = begun.current ?? { time: event.timeStamp, x: 0, y: 0 };
      const { clientX, clientY } = event.changedTouches[0]!;
      const still = event.timeStamp - time >= LONG && Math.hypot(clientX - x, clientY - y) < STILL;
      begun.current = null;
      if (still && !isAsking())
        menu({ target: event.target, clientX, clientY, preventDefault: () => event.preventDefault() });
    },
  };
}
