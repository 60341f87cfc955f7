/** Pictures over each other that one looks at closely: wheel, pinch, drag. */

import { type CSSProperties, type PointerEvent, useEffect, useRef, useState } from "react";
import type { Size } from "../core/layout";
import { distance, fitted, moved, type Point, pointOf, useWheel, type View, zoomed } from "./zoom";

export interface StageProps {
  /** Addresses of pictures; those behind the first are drawn over it, in its size. */
  layers: readonly { address: string; label: string; style?: CSSProperties }[];
  /** Where they lie; null: all of it is seen. */
  view: View | null;
  onView: (view: View | null) => void;
}

const EMPTY: Size = { width: 0, height: 0 };

export function Stage({ layers, view, onView }: StageProps) {
  const place = useRef<HTMLDivElement>(null);
  const [stage, setStage] = useState(EMPTY);
  const [picture, setPicture] = useState(EMPTY);
  const fingers = useRef(new Map<number, Point>());
  const known = stage.width > 0 && picture.width > 0;
  const now = known ? (view ?? fitted(picture, stage)) : null;

  useEffect(() => {
    const watching = new ResizeObserver(([entry]) => entry && setStage(entry.contentRect));
    watching.observe(place.current!);
    return () => watching.disconnect();
  }, []);
  useWheel(place, (factor, at) => now && onView(zoomed(now, factor, at, picture, stage)));

  const drag = (event: PointerEvent<HTMLDivElement>) => {
    const before = fingers.current.get(event.pointerId);
    if (!before || !now) return;
    const to = pointOf(event, place.current!);
    const other = [...fingers.current].find(([id]) => id !== event.pointerId)?.[1];
    fingers.current.set(event.pointerId, to);
    if (other) onView(zoomed(now, distance(to, other) / Math.max(1, distance(before, other)), other, picture, stage));
    else onView(moved(now, { x: to.x - before.x, y: to.y - before.y }, picture, stage));
  };
  const lift = (event: PointerEvent) => fingers.current.delete(event.pointerId);
  return (
    <div
      className="stage"
      ref={place}
      onPointerDown={(event) => {
        place.current!.setPointerCapture(event.pointerId);
        fingers.current.set(event.pointerId, pointOf(event, place.current!));
      }}
      onPointerMove={drag}
      onPointerUp={lift}
      onPointerCancel={lift}
      onDoubleClick={() => onView(null)}
    >
      {layers.map(({ address, label, style }, n) => (
        <img
          key={n}
          src={address}
          alt={label}
          draggable={false}
          onLoad={({ currentTarget: { naturalWidth: width, naturalHeight: height } }) => {
            if (n > 0 || (width === picture.width && height === picture.height)) return;
            if (picture.width) onView(null);
            setPicture({ width, height });
          }}
          style={{
            ...style,
            visibility: now ? "visible" : "hidden",
            width: picture.width * (now?.scale ?? 0),
            height: picture.height * (now?.scale ?? 0),
            translate: `${now?.x ?? 0}px ${now?.y ?? 0}px`,
            imageRendering: (now?.scale ?? 0) >= 1 ? "pixelated" : "auto",
          }}
        />
      ))}
    </div>
  );
}
