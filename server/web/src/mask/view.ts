/** Where the picture stands under the brush, and how large. */

import { type RefObject, useCallback, useLayoutEffect, useState } from "react";
import type { Mask } from "./paint";

interface View {
  /** Pixels of the page for one of the mask. */
  scale: number;
  x: number;
  y: number;
}
export type Zoom = "in" | "out" | "fit";

const STEP = 1.25;
const CLOSEST = 64;
const FARTHEST = 0.02;
const AROUND = 32;

/** The view of a mask in a place of the page: fitted whenever that has another size, zoomed by the wheel. */
export function useView(stage: RefObject<HTMLDivElement | null>, mask: Mask) {
  const [view, setView] = useState<View>({ scale: 1, x: 0, y: 0 });
  const fit = useCallback(() => {
    const { clientWidth: width, clientHeight: height } = stage.current!;
    const scale = Math.max(FARTHEST, Math.min((width - AROUND) / mask.width, (height - AROUND) / mask.height));
    setView({ scale, x: (width - mask.width * scale) / 2, y: (height - mask.height * scale) / 2 });
  }, [stage, mask]);
  const zoomAt = useCallback((by: number, x: number, y: number) => {
    setView((old) => {
      const scale = Math.min(CLOSEST, Math.max(FARTHEST, old.scale * by));
      const grown = scale / old.scale;
      return { scale, x: x - (x - old.x) * grown, y: y - (y - old.y) * grown };
    });
  }, []);
  const pan = (x: number, y: number) => setView((old) => ({ ...old, x: old.x + x, y: old.y + y }));
  const zoom = (how: Zoom) => {
    const { clientWidth, clientHeight } = stage.current!;
    if (how === "fit") fit();
    else zoomAt(how === "in" ? STEP : 1 / STEP, clientWidth / 2, clientHeight / 2);
  };
  useLayoutEffect(() => {
    const place = stage.current!;
    const watch = new ResizeObserver(fit);
    // React listens to wheels without a say; the page would zoom too.
    const wheel = (event: WheelEvent) => {
      event.preventDefault();
      const { left, top } = place.getBoundingClientRect();
      zoomAt(Math.exp(-event.deltaY / 300), event.clientX - left, event.clientY - top);
    };
    fit();
    watch.observe(place);
    place.addEventListener("wheel", wheel, { passive: false });
    return () => {
      watch.disconnect();
      place.removeEventListener("wheel", wheel);
    };
  }, [stage, fit, zoomAt]);
  return { view, zoom, zoomAt, pan };
}
