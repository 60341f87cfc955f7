/** The picture under the brush: painting by mouse, pen, finger and keys; zoom and pan. */

import { useCallback, useEffect, useImperativeHandle, useLayoutEffect, useRef, useState } from "react";
import type { Area, Brush, Mask, Point } from "./paint";

const INK = [224, 32, 128] as const;
const STEP = 1.25;
const CLOSEST = 64;
/** The button of a pen that is turned round, and the right one of a mouse. */
const ERASING = 32 | 2;

interface View {
  scale: number;
  x: number;
  y: number;
}
export interface StageHandle {
  redraw: (area: Area | null) => void;
  zoom: (how: "in" | "out" | "fit") => void;
}

export interface StageProps {
  mask: Mask;
  picture: string;
  brush: Brush;
  handle: React.Ref<StageHandle>;
  /** A stroke has ended. */
  onStroke: () => void;
}

export function Stage({ mask, picture, brush, handle, onStroke }: StageProps) {
  const stage = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [view, setView] = useState<View>({ scale: 1, x: 0, y: 0 });
  const [cursor, setCursor] = useState<Point>({ x: mask.width / 2, y: mask.height / 2 });
  const redraw = useCallback((area: Area | null) => area && tint(canvas.current!, mask, area), [mask]);

  const fit = useCallback(() => {
    const { clientWidth, clientHeight } = stage.current!;
    const scale = Math.max(0.01, Math.min((clientWidth - 32) / mask.width, (clientHeight - 32) / mask.height));
    setView({
      scale,
      x: (clientWidth - mask.width * scale) / 2,
      y: (clientHeight - mask.height * scale) / 2,
    });
  }, [mask]);
  const zoomAt = useCallback((by: number, x: number, y: number) => {
    setView((old) => {
      const scale = Math.min(CLOSEST, Math.max(0.02, old.scale * by));
      const grown = scale / old.scale;
      return { scale, x: x - (x - old.x) * grown, y: y - (y - old.y) * grown };
    });
  }, []);
  const zoom = (how: "in" | "out" | "fit") => {
    const { clientWidth, clientHeight } = stage.current!;
    if (how === "fit") fit();
    else zoomAt(how === "in" ? STEP : 1 / STEP, clientWidth / 2, clientHeight / 2);
  };
  useImperativeHandle(handle, () => ({ redraw, zoom }));
  useLayoutEffect(() => {
    redraw(mask.whole);
    stage.current!.focus();
    const watch = new ResizeObserver(fit);
    watch.observe(stage.current!);
    return () => watch.disconnect();
  }, [mask, redraw, fit]);
  useEffect(() => {
    const wheel = (event: WheelEvent) => {
      event.preventDefault();
      const { left, top } = stage.current!.getBoundingClientRect();
      zoomAt(Math.exp(-event.deltaY / 300), event.clientX - left, event.clientY - top);
    };
    const at = stage.current!;
    at.addEventListener("wheel", wheel, { passive: false });
    return () => at.removeEventListener("wheel", wheel);
  }, [zoomAt]);

  const { start, go, finish, drop } = useStroke(mask, redraw, setCursor, onStroke);
  const place = (event: { clientX: number; clientY: number }): Point => {
    const box = canvas.current!.getBoundingClientRect();
    return {
      x: ((event.clientX - box.left) / box.width) * mask.width,
      y: ((event.clientY - box.top) / box.height) * mask.height,
    };
  };
  const fingers = useRef(new Map<number, { x: number; y: number }>());
  const held = useRef<"paint" | "pan" | null>(null);
  const pressed = (event: React.PointerEvent): Brush => ({
    ...brush,
    radius: brush.radius * (event.pointerType === "pen" && event.pressure ? 0.25 + 0.75 * event.pressure : 1),
    erase: brush.erase || Boolean(event.buttons & ERASING),
  });
  const down = (event: React.PointerEvent) => {
    stage.current!.setPointerCapture(event.pointerId);
    fingers.current.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (fingers.current.size > 1 || event.button === 1) {
      drop();
      held.current = "pan";
    } else if (!held.current) {
      held.current = "paint";
      start(place(event), pressed(event));
    }
  };
  const move = (event: React.PointerEvent) => {
    const before = fingers.current.get(event.pointerId);
    if (!before) return setCursor(place(event));
    if (held.current === "paint") {
      const way = event.nativeEvent.getCoalescedEvents?.() ?? [];
      for (const one of way.length ? way : [event.nativeEvent]) go(place(one), pressed(event));
    } else panned(before, event);
    fingers.current.set(event.pointerId, { x: event.clientX, y: event.clientY });
  };
  const panned = (before: { x: number; y: number }, event: React.PointerEvent) => {
    const other = [...fingers.current].find(([id]) => id !== event.pointerId)?.[1];
    const share = other ? 2 : 1;
    const [x, y] = [(event.clientX - before.x) / share, (event.clientY - before.y) / share];
    setView((old) => ({ ...old, x: old.x + x, y: old.y + y }));
    if (!other) return;
    const apart = (at: { x: number; y: number }) => Math.hypot(at.x - other.x, at.y - other.y);
    const { left, top } = stage.current!.getBoundingClientRect();
    const now = { x: event.clientX, y: event.clientY };
    zoomAt(apart(now) / Math.max(1, apart(before)), (now.x + other.x) / 2 - left, (now.y + other.y) / 2 - top);
  };
  const up = (event: React.PointerEvent) => {
    fingers.current.delete(event.pointerId);
    if (held.current === "paint") finish();
    if (fingers.current.size === 0) held.current = null;
  };

  const key = (event: React.KeyboardEvent) => {
    const pace = Math.max(1, Math.round(brush.radius / 2)) * (event.shiftKey ? 4 : 1);
    const [x, y] = ARROWS[event.key] ?? [0, 0];
    if (event.key === " ") {
      if (!event.repeat) start(cursor, brush);
    } else if (x || y) {
      const to = { x: bounded(cursor.x + x * pace, mask.width), y: bounded(cursor.y + y * pace, mask.height) };
      go(to, brush);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const size = { width: mask.width * view.scale, height: mask.height * view.scale };
  const across = Math.max(4, brush.radius * 2 * view.scale);
  return (
    <div
      ref={stage}
      className={`stage${brush.erase ? " erases" : ""}`}
      role="application"
      tabIndex={0}
      aria-label="the picture: arrows move the brush, Space paints"
      onPointerDown={down}
      onPointerMove={move}
      onPointerUp={up}
      onPointerCancel={up}
      onContextMenu={(event) => event.preventDefault()}
      onKeyDown={key}
      onKeyUp={(event) => event.key === " " && finish()}
      onBlur={finish}
    >
      <div className="sheet" style={{ ...size, transform: `translate(${view.x}px, ${view.y}px)` }}>
        <img src={picture} alt="" draggable={false} />
        <canvas ref={canvas} width={mask.width} height={mask.height} />
        <span
          className="brush"
          style={{
            width: across,
            height: across,
            transform: `translate(${cursor.x * view.scale - across / 2}px, ${cursor.y * view.scale - across / 2}px)`,
          }}
        />
      </div>
    </div>
  );
}

const ARROWS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};
const bounded = (value: number, most: number): number => Math.min(most, Math.max(0, value));

/** One stroke at a time, from wherever it comes. */
function useStroke(
  mask: Mask,
  redraw: (area: Area | null) => unknown,
  setCursor: (at: Point) => void,
  onStroke: () => void,
) {
  const last = useRef<Point | null>(null);
  const go = (to: Point, brush: Brush) => {
    setCursor(to);
    if (!last.current) return;
    redraw(mask.line(last.current, to, brush));
    last.current = to;
  };
  const start = (at: Point, brush: Brush) => {
    mask.begin();
    last.current = at;
    go(at, brush);
  };
  const finish = () => {
    if (!last.current) return;
    last.current = null;
    mask.end();
    onStroke();
  };
  const drop = () => {
    last.current = null;
    redraw(mask.dropStroke());
  };
  return { start, go, finish, drop };
}

/** Show in ink what is to change. */
function tint(canvas: HTMLCanvasElement, mask: Mask, area: Area): void {
  const [width, height] = [area.right - area.left, area.bottom - area.top];
  const pixels = new Uint32Array(width * height);
  const ink = INK[0] | (INK[1] << 8) | (INK[2] << 16);
  for (let y = 0; y < height; y++) {
    const from = (area.top + y) * mask.width + area.left;
    for (let x = 0; x < width; x++) pixels[y * width + x] = ink | (mask.values[from + x]! << 24);
  }
  const image = new ImageData(new Uint8ClampedArray(pixels.buffer), width, height);
  canvas.getContext("2d")!.putImageData(image, area.left, area.top);
}
