/** Where the picture stands under the brush, and how large. */

import { type RefObject, useCallback, useLayoutEffect, useState } from "react";
import { centred, type Point, scaled, useWheel, type View } from "../panes/zoom";
import type { Mask } from "./paint";

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
    setView(centred(mask, { width, height }, scale));
  }, [stage, mask]);
  const zoomAt = (by: number, at: Point) =>
    setView((old) => scaled(old, Math.min(CLOSEST, Math.max(FARTHEST, old.scale * by)), at));
  const pan = (x: number, y: number) => setView((old) => ({ ...old, x: old.x + x, y: old.y + y }));
  const zoom = (how: Zoom) => {
    const { clientWidth, clientHeight } = stage.current!;
    if (how === "fit") fit();
    else zoomAt(how === "in" ? STEP : 1 / STEP, { x: clientWidth / 2, y: clientHeight / 2 });
  };
  useWheel(stage, zoomAt);
  useLayoutEffect(() => {
    const watch = new ResizeObserver(fit);
    fit();
    watch.observe(stage.current!);
    return () => watch.disconnect();
  }, [stage, fit]);
  return { view, zoom, zoomAt, pan };
}
