/** Where a picture lies on a stage: how large its pixels are, and the place of its corner. */

import { type RefObject, useEffect } from "react";
import type { Size } from "../core/layout";

export interface View {
  scale: number;
  x: number;
  y: number;
}
export interface Point {
  x: number;
  y: number;
}

const LARGEST = 64;

/** A picture in the middle of a stage. */
export const centred = (picture: Size, stage: Size, scale: number): View => ({
  scale,
  x: (stage.width - picture.width * scale) / 2,
  y: (stage.height - picture.height * scale) / 2,
});

/** The whole picture; a small one is enlarged by a whole number, so that its pixels are all alike. */
export function fitted(picture: Size, stage: Size): View {
  const most = Math.min(stage.width / picture.width, stage.height / picture.height);
  return centred(picture, stage, most >= 1 ? Math.min(Math.floor(most), LARGEST) : most);
}

/** The same by a factor; no smaller than half of what fits. */
export function zoomed(view: View, factor: number, at: Point, picture: Size, stage: Size): View {
  const least = Math.min(1, fitted(picture, stage).scale) / 2;
  return scaled(view, Math.min(LARGEST, Math.max(least, view.scale * factor)), at);
}

/** In another size about a point of the stage, which stays over the same pixel. */
export function scaled(view: View, scale: number, { x, y }: Point): View {
  const by = scale / view.scale;
  return { scale, x: x - (x - view.x) * by, y: y - (y - view.y) * by };
}

/** Moved, but never out of sight: a corner of 32 pixels stays. */
export function moved(view: View, by: Point, picture: Size, stage: Size, seen = 32): View {
  const within = (place: number, side: number, room: number) =>
    Math.min(room - seen, Math.max(seen - side * view.scale, place));
  return {
    ...view,
    x: within(view.x + by.x, picture.width, stage.width),
    y: within(view.y + by.y, picture.height, stage.height),
  };
}

/** The point of a stage under a pointer. */
export function pointOf(event: { clientX: number; clientY: number }, stage: Element): Point {
  const { left, top } = stage.getBoundingClientRect();
  return { x: event.clientX - left, y: event.clientY - top };
}

export const distance = (one: Point, other: Point): number => Math.hypot(one.x - other.x, one.y - other.y);

/** Zoom by the wheel over a stage. React listens to wheels without a say: the page would zoom too. */
export function useWheel(stage: RefObject<HTMLElement | null>, zoom: (factor: number, at: Point) => void): void {
  useEffect(() => {
    const place = stage.current!;
    const wheel = (event: WheelEvent) => {
      event.preventDefault();
      zoom(Math.exp(-event.deltaY / 300), pointOf(event, place));
    };
    place.addEventListener("wheel", wheel, { passive: false });
    return () => place.removeEventListener("wheel", wheel);
  });
}
