/** The graph as one sees it: boxes and wires over the text, which every change here edits. */

import {
  applyEdgeChanges,
  Background,
  type Edge,
  type EdgeChange,
  MiniMap,
  type Node,
  ReactFlow,
  useReactFlow,
  useStore,
} from "@xyflow/react";
import "@xyflow/react/dist/style.css";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { adding } from "../commands/adding";
import { same } from "../core/sharing";
import type { End } from "../core/graph";
import type { Session } from "../document/session";
import { page, usePage } from "../store";
import { arranged } from "./arrange";
import { ClosedFrame, FrameBox, InputBox, NodeBox, OutputBox, SharedContext } from "./Boxes";
import { type Box, boxesOf, framesOf, shapeOf, sizesOf, standing, type Wire, wiresOf } from "./flow";
import { useMoving } from "./moving";
import { colourOf, costs } from "./types";
import { typeOfRef } from "./typing";
import { useView } from "./view";
import { DrawnContext, DrawnWire, WireLine } from "./Wires";
import { useWiring } from "./wiring";

const BOXES = { node: NodeBox, input_: InputBox, output_: OutputBox, frame: FrameBox, closed: ClosedFrame };
const WIRES = { line: WireLine };
const SEVERAL = ["Meta", "Control"];
const PLAIN = { hideAttribution: true };
const MAP = { width: 144, height: 96 };
/** Boxes beyond which there is a map of them. */
const MANY = 25;

/** Whether a box is drawn as it was. */
const stays = (was: Box, now: Box): boolean =>
  was.type === now.type &&
  was.ariaLabel === now.ariaLabel &&
  (was.selected ?? false) === now.selected &&
  same(was.position, now.position);

/** Boxes and wires as the text has them, at the places where they are now. */
function useDrawn() {
  const graph = usePage((page) => page.document!.read.graph);
  const catalogue = usePage((page) => page.catalogue!);
  const closed = usePage((page) => page.closed);
  const selected = usePage((page) => page.selected);
  const drawn = useMemo(() => wiresOf(graph, catalogue, standing(graph, closed)), [graph, catalogue, closed]);
  const sizes = useMemo(() => sizesOf(graph, catalogue, closed), [graph, catalogue, closed]);
  const { places, routes } = useMemo(
    () => arranged(graph, catalogue, drawn, closed),
    [graph, catalogue, drawn, closed],
  );
  const [boxes, setBoxes] = useState<Box[]>([]);
  const [wires, setWires] = useState<Edge<Wire>[]>([]);
  useEffect(() => {
    setBoxes((old) => {
      const before = new Map(old.map((box) => [box.id, box]));
      return boxesOf(graph, places, closed).map((box) => {
        const was = before.get(box.id);
        const now = { ...box, selected: selected.includes(box.id), ...(was && { measured: was.measured }) };
        return was && stays(was, now) ? was : now;
      });
    });
    setWires((old) => {
      const before = new Map(old.map((wire) => [wire.id, wire]));
      return drawn.map((wire, n) => {
        const was = before.get(wire.id);
        const data = { ...wire.data!, route: routes[n] ?? [] };
        const now = { ...wire, selected: was?.selected ?? false, data };
        return was && same(was, now) ? was : now;
      });
    });
  }, [graph, drawn, places, routes, closed]);
  useEffect(() => {
    const differs = (box: Box) => (box.selected ?? false) !== selected.includes(box.id);
    setBoxes((old) =>
      old.some(differs) ? old.map((box) => (differs(box) ? { ...box, selected: !box.selected } : box)) : old,
    );
  }, [selected]);
  const frames = useMemo(
    () => framesOf(graph, boxes, sizes).map((frame) => ({ ...frame, selected: selected.includes(frame.id) })),
    [graph, boxes, sizes, selected],
  );
  return { graph, catalogue, places, boxes, frames, setBoxes, wires, setWires };
}

/** The functions that xyflow and the wires are given: the same ones at each drawing, which do what the newest do. */
function useSteady<T extends object>(newest: T): T {
  const now = useRef(newest);
  now.current = newest;
  return useState(() => {
    const does = (key: string) => (...given: unknown[]) => (now.current as Deeds)[key]!(...given);
    return Object.fromEntries(Object.keys(newest).map((key) => [key, does(key)])) as T;
  })[0];
}
type Deeds = Record<string, (...given: unknown[]) => unknown>;

export function Canvas({ session }: { session: Session }) {
  const readable = usePage((page) => page.document!.readable);
  const fault = usePage((page) => (page.document!.readable ? "" : page.document!.fault));
  const locked = usePage((page) => !page.document!.readable || page.document!.link === "reading");
  const planned = usePage((page) => page.judged.planned);
  const stale = usePage((page) => page.judged.stale);
  const flow = useReactFlow();
  const { graph, catalogue, places, boxes, frames, setBoxes, wires, setWires } = useDrawn();
  const nodes = useMemo(() => [...frames, ...boxes], [frames, boxes]);
  const found = useMemo(() => costs(planned), [planned]);
  const describe = useCallback(
    (end: End) => shapeOf(page().document!.read.graph, catalogue, found, end),
    [catalogue, found],
  );
  const wiring = useWiring(session, graph, catalogue, describe, flow.screenToFlowPosition);
  const moving = useMoving(session, graph, places, boxes, frames, setBoxes, wires);
  const colour = useCallback(
    (box: Node) => colourOf(catalogue, typeOfRef(page().document!.read.graph, catalogue, (box as Box).data.name, null)),
    [catalogue],
  );
  const range = useStore(({ transform: [, , zoom] }) => (zoom < 0.45 ? "farther" : zoom < 0.75 ? "far" : ""));
  useView(boxes);

  const changedWires = (changes: EdgeChange<Edge<Wire>>[]) =>
    setWires((old) => {
      const now = applyEdgeChanges(changes, old);
      const chosen = now.filter((wire) => wire.selected).map(({ data }) => data!);
      queueMicrotask(() => usePage.setState({ wires: chosen }));
      return now;
    });

  const { misfits, refused, hint, asks } = wiring;
  const steady = useSteady({
    onNodesChange: moving.changed,
    onNodeDragStart: moving.started,
    onNodeDrag: moving.dragged,
    onNodeDragStop: moving.stopped,
    onEdgesChange: changedWires,
    onConnectStart: wiring.started,
    onConnect: wiring.connect,
    onConnectEnd: wiring.ended,
    isValidConnection: wiring.valid,
  });
  const telling = useSteady({ hint, asks });
  // What is drawn of a wire changes also when the engine has answered.
  const drawing = useMemo(() => ({ ...telling }), [telling, refused]);
  const shared = useMemo(
    () => ({ catalogue, costs: found, describe, misfits, session }),
    [catalogue, found, describe, misfits, session],
  );
  const lines = moving.target
    ? wires.map((wire) => (wire.id === moving.target ? { ...wire, className: "opens" } : wire))
    : wires;
  return (
    <SharedContext.Provider value={shared}>
      <DrawnContext.Provider value={drawing}>
        <div
          className={`canvas ${range}${readable ? "" : " unreadable"}${stale ? " stale" : ""}`}
          onDoubleClick={(event) => {
            const at = { x: event.clientX, y: event.clientY };
            if ((event.target as Element).classList.contains("react-flow__pane"))
              void adding(session, at, flow.screenToFlowPosition(at));
          }}
        >
          <ReactFlow
            nodes={nodes}
            edges={lines}
            nodeTypes={BOXES}
            edgeTypes={WIRES}
            connectionLineComponent={DrawnWire}
            {...steady}
            deleteKeyCode={null}
            nodesDraggable={!locked}
            nodesConnectable={!locked}
            connectionRadius={24}
            zoomOnDoubleClick={false}
            minZoom={0.1}
            maxZoom={2}
            selectionKeyCode="Shift"
            multiSelectionKeyCode={SEVERAL}
            elevateNodesOnSelect={false}
            edgesFocusable={false}
            proOptions={PLAIN}
          >
            <Background gap={24} />
            {boxes.length > MANY && (
              <MiniMap
                pannable
                zoomable
                style={MAP}
                ariaLabel="map of the graph"
                nodeColor={colour}
              />
            )}
          </ReactFlow>
          {!readable && (
            <p className="banner" role="status">
              The text cannot be read just now; this is how it was. {fault}
            </p>
          )}
        </div>
      </DrawnContext.Provider>
    </SharedContext.Provider>
  );
}
