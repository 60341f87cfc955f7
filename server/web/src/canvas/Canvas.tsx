/** The graph as one sees it: boxes and wires over the text, which every change here edits. */

import {
  applyEdgeChanges,
  Background,
  type Edge,
  type EdgeChange,
  MiniMap,
  ReactFlow,
  useReactFlow,
  useStore,
} from "@xyflow/react";
import "@xyflow/react/dist/style.css";
import { useCallback, useEffect, useMemo, useState } from "react";
import { adding } from "../commands/adding";
import type { Session } from "../document/session";
import { usePage } from "../store";
import { arranged } from "./arrange";
import { ClosedFrame, FrameBox, InputBox, NodeBox, OutputBox, SharedContext } from "./Boxes";
import { type Box, boxesOf, framesOf, outputsOf, sizesOf, standing, type Wire, wiresOf } from "./flow";
import { useMoving } from "./moving";
import { colourOf, costs, dimensions } from "./types";
import { type End, typeOfRef } from "./typing";
import { useView } from "./view";
import { DrawnContext, DrawnWire, WireLine } from "./Wires";
import { useWiring } from "./wiring";

const BOXES = { node: NodeBox, input_: InputBox, output_: OutputBox, frame: FrameBox, closed: ClosedFrame };
const WIRES = { line: WireLine };
/** Boxes beyond which there is a map of them. */
const MANY = 25;

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
        return { ...box, selected: selected.includes(box.id), ...(was?.measured ? { measured: was.measured } : {}) };
      });
    });
    setWires((old) => {
      const chosen = new Set(old.filter((wire) => wire.selected).map((wire) => wire.id));
      return drawn.map((wire, n) => ({
        ...wire,
        selected: chosen.has(wire.id),
        data: { ...wire.data!, route: routes[n] ?? [] },
      }));
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

export function Canvas({ session }: { session: Session }) {
  const document = usePage((page) => page.document)!;
  const planned = usePage((page) => page.judged.planned);
  const stale = usePage((page) => page.judged.stale);
  const flow = useReactFlow();
  const { graph, catalogue, places, boxes, frames, setBoxes, wires, setWires } = useDrawn();
  const found = useMemo(() => costs(planned), [planned]);
  const describe = useCallback(
    ({ name, port }: End) => {
      const names = outputsOf(graph, catalogue, name).map((one) => one.name);
      return dimensions(found.get(name)?.outputs[port ? names.indexOf(port) : 0] ?? "");
    },
    [graph, catalogue, found],
  );
  const wiring = useWiring(session, graph, catalogue, describe, flow.screenToFlowPosition);
  const moving = useMoving(session, graph, places, boxes, frames, setBoxes, wires);
  const range = useStore(({ transform: [, , zoom] }) => (zoom < 0.45 ? "farther" : zoom < 0.75 ? "far" : ""));
  useView(boxes);

  const changedWires = (changes: EdgeChange<Edge<Wire>>[]) =>
    setWires((old) => {
      const now = applyEdgeChanges(changes, old);
      const chosen = now.filter((wire) => wire.selected).map(({ data }) => data!);
      queueMicrotask(() => usePage.setState({ wires: chosen }));
      return now;
    });

  const locked = !document.readable || document.link === "reading";
  const { misfits } = wiring;
  const shared = useMemo(
    () => ({ graph, catalogue, costs: found, stale, describe, misfits, session }),
    [graph, catalogue, found, stale, describe, misfits, session],
  );
  const lines = moving.target
    ? wires.map((wire) => (wire.id === moving.target ? { ...wire, className: "opens" } : wire))
    : wires;
  return (
    <SharedContext.Provider value={shared}>
      <DrawnContext.Provider value={wiring}>
        <div
          className={`canvas ${range}${document.readable ? "" : " unreadable"}`}
          onDoubleClick={(event) => {
            const at = { x: event.clientX, y: event.clientY };
            if ((event.target as Element).classList.contains("react-flow__pane"))
              void adding(session, at, flow.screenToFlowPosition(at));
          }}
        >
          <ReactFlow
            nodes={[...frames, ...boxes]}
            edges={lines}
            nodeTypes={BOXES}
            edgeTypes={WIRES}
            connectionLineComponent={DrawnWire}
            onNodesChange={moving.changed}
            onNodeDragStart={moving.started}
            onNodeDrag={moving.dragged}
            onNodeDragStop={moving.stopped}
            onEdgesChange={changedWires}
            onConnectStart={wiring.started}
            onConnect={wiring.connect}
            onConnectEnd={wiring.ended}
            isValidConnection={wiring.valid}
            deleteKeyCode={null}
            nodesDraggable={!locked}
            nodesConnectable={!locked}
            connectionRadius={24}
            zoomOnDoubleClick={false}
            minZoom={0.1}
            maxZoom={2}
            selectionKeyCode="Shift"
            multiSelectionKeyCode={["Meta", "Control"]}
            elevateNodesOnSelect={false}
            edgesFocusable={false}
            proOptions={{ hideAttribution: true }}
          >
            <Background gap={24} />
            {boxes.length > MANY && (
              <MiniMap
                pannable
                zoomable
                style={{ width: 144, height: 96 }}
                ariaLabel="map of the graph"
                nodeColor={(box) => colourOf(catalogue, typeOfRef(graph, catalogue, (box as Box).data.name, null))}
              />
            )}
          </ReactFlow>
          {!document.readable && (
            <p className="banner" role="status">
              The text cannot be read just now; this is how it was. {document.fault}
            </p>
          )}
        </div>
      </DrawnContext.Provider>
    </SharedContext.Provider>
  );
}
