/** What part of the graph is in sight. */

import { type ReactFlowInstance, useNodesInitialized, useReactFlow } from "@xyflow/react";
import { useEffect, useRef } from "react";
import { page } from "../store";
import { type Box, nameOf } from "./flow";

export type Spot = readonly [x: number, y: number];

/** The least size at which a graph is shown first; what is wider begins at the left. */
const LEAST = 0.5;
const MARGIN = 24;

let shown: ReactFlowInstance<Box> | null = null;

/** Shows the graph when its boxes are there: all of it, unless that would be too small to read. The first one of an empty graph stays where it was put. */
export function useView(boxes: readonly Box[]): void {
  const flow = useReactFlow<Box>();
  const ready = useNodesInitialized();
  const begun = useRef(false);
  const empty = useRef(false);
  useEffect(() => {
    shown = flow;
    const { nodes, inputs, layout } = page().document!.read.graph;
    empty.current ||= !nodes.size && !inputs.size;
    if (empty.current && layout.size) begun.current = true;
    if (!ready || begun.current || !boxes.length) return;
    begun.current = true;
    fit(LEAST);
  }, [flow, ready, boxes]);
}

/** Places for the text: those that are given, and where it has none for a box, where that stands now: nothing else is to move. */
export function pinned(given: ReadonlyMap<string, Spot>): Map<string, Spot> {
  const { nodes, inputs, layout } = page().document!.read.graph;
  const found = new Map<string, Spot>();
  for (const { id, data, position } of shown?.getNodes() ?? []) {
    const taken = data.kind === "output" && (nodes.has(data.name) || inputs.has(data.name));
    if (data.kind !== "frame" && !taken && !layout.has(data.name)) found.set(nameOf(id), [Math.round(position.x), Math.round(position.y)]);
  }
  return new Map([...found, ...given]);
}

/** Bring all boxes into sight, no smaller than a zoom. */
export function fit(least = 0.1): void {
  const pane = document.querySelector(".react-flow")?.getBoundingClientRect();
  if (!shown || !pane) return;
  const { x, y, width, height } = shown.getNodesBounds(shown.getNodes());
  const [across, down] = [(pane.width - 2 * MARGIN) / width, (pane.height - 2 * MARGIN) / height];
  const zoom = Math.min(1, Math.max(least, Math.min(across, down)));
  const begin = (size: number, whole: number) => Math.max(MARGIN, (whole - size * zoom) / 2);
  void shown.setViewport({ x: begin(width, pane.width) - x * zoom, y: begin(height, pane.height) - y * zoom, zoom });
}

/** Bring boxes into the middle. */
export function centre(ids: readonly string[]): void {
  const zoom = Math.max(0.8, shown?.getZoom() ?? 0);
  void shown?.fitView({ nodes: ids.map((id) => ({ id })), maxZoom: zoom, minZoom: 0.3, duration: 120 });
}
