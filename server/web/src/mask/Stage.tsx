/** The picture under the brush: painting by mouse, pen, finger and keys; zoom and pan. */

import { useCallback, useImperativeHandle, useLayoutEffect, useRef, useState } from "react";
import { useFingers } from "./fingers";
import type { Area, Brush, Mask, Point } from "./paint";
import { useStroke } from "./stroke";
import { useView, type Zoom } from "./view";

const INK = [224, 32, 128] as const;
const ARROWS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

export interface StageHandle {
  redraw: (area: Area | null) => void;
  zoom: (how: Zoom) => void;
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
  const [cursor, setCursor] = useState<Point>({ x: mask.width / 2, y: mask.height / 2 });
  const redraw = useCallback((area: Area | null) => area && tint(canvas.current!, mask, area), [mask]);
  const { view, zoom, zoomAt, pan } = useView(stage, mask);
  const stroke = useStroke(mask, redraw, setCursor, onStroke);
  const place = (at: { clientX: number; clientY: number }): Point => {
    const box = canvas.current!.getBoundingClientRect();
    return {
      x: ((at.clientX - box.left) / box.width) * mask.width,
      y: ((at.clientY - box.top) / box.height) * mask.height,
    };
  };
  const fingers = useFingers({ stage, brush, stroke, place, pan, zoomAt });
  useImperativeHandle(handle, () => ({ redraw, zoom }));
  useLayoutEffect(() => {
    redraw(mask.whole);
    stage.current!.focus();
  }, [mask, redraw]);

  const key = (event: React.KeyboardEvent) => {
    const arrow = ARROWS[event.key];
    const pace = Math.max(1, Math.round(brush.radius / 2)) * (event.shiftKey ? 4 : 1);
    if (arrow) {
      const [x, y] = arrow;
      stroke.go({ x: bounded(cursor.x + x * pace, mask.width), y: bounded(cursor.y + y * pace, mask.height) }, brush);
    } else if (event.key !== " ") return;
    else if (!event.repeat) stroke.start(cursor, brush);
    event.preventDefault();
    event.stopPropagation();
  };
  const size = { width: mask.width * view.scale, height: mask.height * view.scale };
  const across = Math.max(4, brush.radius * 2 * view.scale);
  const [x, y] = [cursor.x * view.scale - across / 2, cursor.y * view.scale - across / 2];
  return (
    <div
      ref={stage}
      className={`stage${brush.erase ? " erases" : ""}`}
      role="application"
      tabIndex={0}
      aria-label="the picture: arrows move the brush, Space paints"
      {...fingers}
      onContextMenu={(event) => event.preventDefault()}
      onKeyDown={key}
      onKeyUp={(event) => event.key === " " && stroke.finish()}
      onBlur={stroke.finish}
    >
      <div className="sheet" style={{ ...size, transform: `translate(${view.x}px, ${view.y}px)` }}>
        <img src={picture} alt="" draggable={false} />
        <canvas ref={canvas} width={mask.width} height={mask.height} />
        <span className="brush" style={{ width: across, height: across, transform: `translate(${x}px, ${y}px)` }} />
      </div>
    </div>
  );
}

const bounded = (value: number, most: number): number => Math.min(most, Math.max(0, value));

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
