/** Wires as they are drawn: along the lanes of the layout while their boxes stand there, with the shape of what goes through. */

import {
  BaseEdge,
  type ConnectionLineComponentProps,
  EdgeLabelRenderer,
  type EdgeProps,
  getBezierPath,
  useStore,
} from "@xyflow/react";
import { createContext, memo, useContext, useEffect, useState } from "react";
import type { Point } from "../core/layout";
import { pathAlong } from "../core/places";
import { SharedContext } from "./Boxes";
import type { Wire } from "./flow";
import type { Hint, useWiring } from "./wiring";

export const DrawnContext = createContext<Pick<ReturnType<typeof useWiring>, "hint" | "asks"> | null>(null);

/** How far an end may be from where the layout has it. */
const NEAR = 12;

/** A wire of this length tells its shape without being asked, from this zoom on. */
const ROOM = 120;
const LEGIBLE = 0.9;
/** How far above a shorter wire its shape stands: over the names at its ends it would hide them. */
const ABOVE = 20;

interface Line {
  path: string;
  x: number;
  y: number;
}

/** The lanes between the ends of a wire; null where one of them is not where the layout put it. */
function lanes(route: readonly Point[], ends: readonly [Point, Point]): Line | null {
  const [first, last] = [route[0], route.at(-1)];
  const near = (one: Point | undefined, [x, y]: Point) =>
    one !== undefined && Math.abs(one[0] - x) < NEAR && Math.abs(one[1] - y) < NEAR;
  if (route.length < 3 || !near(first, ends[0]) || !near(last, ends[1])) return null;
  const points = [ends[0], ...route.slice(1, -1), ends[1]];
  const [[x, y], [right]] = [points[1]!, points[2]!];
  return { path: pathAlong(points), x: (x + right) / 2, y };
}

export const WireLine = memo(function WireLine(props: EdgeProps) {
  const { sourceX, sourceY, targetX, targetY } = props;
  const { describe } = useContext(SharedContext)!;
  const [pointed, setPointed] = useState(false);
  const data = props.data as unknown as Wire;
  const [bezier, middleX, middleY] = getBezierPath(props);
  const ends = [[sourceX, sourceY] as const, [targetX, targetY] as const] as const;
  const { path, x, y } = lanes(data.route, ends) ?? { path: bezier, x: middleX, y: middleY };
  const shown = useStore(({ nodeLookup, transform: [, , zoom] }) => {
    const beside = [props.source, props.target].some((id) => nodeLookup.get(id)?.selected);
    return beside || (zoom > LEGIBLE && targetX - sourceX > ROOM);
  });
  const shape = pointed || shown || props.selected ? describe(data.source) : "";
  return (
    <>
      <g onPointerEnter={() => setPointed(true)} onPointerLeave={() => setPointed(false)}>
        <BaseEdge id={props.id} path={path} {...(props.style ? { style: props.style } : {})} />
      </g>
      {shape && (
        <EdgeLabelRenderer>
          <span
            className="shape"
            style={{ transform: `translate(${x}px, ${y - (targetX - sourceX > ROOM ? 0 : ABOVE)}px) translate(-50%, -50%)` }}
          >
            {shape}
          </span>
        </EdgeLabelRenderer>
      )}
    </>
  );
});

/** The wire that is being drawn, and what letting it go would do. */
export function DrawnWire(props: ConnectionLineComponentProps) {
  const { fromX, fromY, toX, toY, fromPosition, toPosition, fromNode, fromHandle, toNode, toHandle } = props;
  const { hint, asks } = useContext(DrawnContext)!;
  const ends = { sourceX: fromX, sourceY: fromY, targetX: toX, targetY: toY };
  const [path] = getBezierPath({ ...ends, sourcePosition: fromPosition, targetPosition: toPosition });
  const said: Hint = toNode && toHandle ? hint(fromNode.id, fromHandle, toNode.id, toHandle) : { words: "", bad: false };
  useEffect(() => {
    if (said.wire) asks(said.wire);
  });
  return (
    <g className={`drawn${said.bad ? " bad" : ""}`}>
      <path d={path} fill="none" />
      <text x={toX + 16} y={toY - 12}>
        {said.words}
      </text>
    </g>
  );
}
