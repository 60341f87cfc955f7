/** The graph as one sees it: boxes and wires over the text, which every change here edits. */

import {
  applyEdgeChanges,
  applyNodeChanges,
  Background,
  type Connection,
  type Edge,
  type EdgeChange,
  type NodeChange,
  type OnConnectEnd,
  type OnConnectStartParams,
  ReactFlow,
  useReactFlow,
} from "@xyflow/react";
import "@xyflow/react/dist/style.css";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { adding, dropped } from "../commands/adding";
import { wired } from "../commands/wiring";
import * as edits from "../core/edits";
import type { Session } from "../document/session";
import { page, say, usePage } from "../store";
import { arranged } from "./arrange";
import { InputBox, NodeBox, OutputBox, SharedContext } from "./Boxes";
import { type Box, boxesOf, nameOf, wiresOf, type Wire } from "./flow";
import { costs } from "./types";
import { type End, misfit } from "./typing";

const BOXES = { node: NodeBox, input_: InputBox, output_: OutputBox };
const STILL = 400;

export function Canvas({ session }: { session: Session }) {
  const document = usePage((page) => page.document)!;
  const catalogue = usePage((page) => page.catalogue)!;
  const planned = usePage((page) => page.judged.planned);
  const stale = usePage((page) => page.judged.stale);
  const { graph } = document.read;
  const flow = useReactFlow();
  const places = useMemo(() => arranged(graph, catalogue), [graph, catalogue]);
  const [boxes, setBoxes] = useState<Box[]>([]);
  const [wires, setWires] = useState<Edge<Wire>[]>([]);
  const [drawn, setDrawn] = useState<OnConnectStartParams | null>(null);
  const moving = useRef<Map<string, [number, number]>>(new Map());
  const still = useRef<ReturnType<typeof setTimeout>>(undefined);
  const found = useMemo(() => costs(planned), [planned]);

  useEffect(() => {
    setBoxes((old) => {
      const before = new Map(old.map((box) => [box.id, box]));
      const chosen = page().selected;
      return boxesOf(graph, places).map((box) => {
        const was = before.get(box.id);
        return { ...box, selected: chosen.includes(box.id), ...(was?.measured ? { measured: was.measured } : {}) };
      });
    });
    setWires((old) => {
      const chosen = new Set(old.filter((wire) => wire.selected).map((wire) => wire.id));
      return wiresOf(graph, catalogue).map((wire) => ({ ...wire, selected: chosen.has(wire.id) }));
    });
  }, [graph, catalogue, places]);

  const endOf = (id: string, handle: string | null): End => {
    const outputs = catalogue.nodes.get(graph.nodes.get(id)?.type ?? "")?.outputs ?? [];
    return { name: id, port: !handle || outputs[0]?.name === handle || handle === "output" ? null : handle };
  };

  const misfits = useMemo(() => (drawn ? misfitsOf(drawn) : null), [drawn, graph]);

  function misfitsOf(start: OnConnectStartParams): Map<string, string> | null {
    if (start.handleType !== "source" || !start.nodeId) return null;
    const reasons = new Map<string, string>();
    for (const [name, node] of graph.nodes) {
      for (const port of catalogue.nodes.get(node.type)?.inputs ?? []) {
        const reason = misfit(graph, catalogue, endOf(start.nodeId, start.handleId), name, port.name);
        if (reason) reasons.set(`${name}.${port.name}`, reason);
      }
    }
    return reasons;
  }

  const reasonOf = useCallback(
    (wire: Connection | Edge): string => {
      if (wire.target.startsWith("output ")) return "";
      return misfit(
        graph,
        catalogue,
        endOf(wire.source, wire.sourceHandle ?? null),
        wire.target,
        wire.targetHandle ?? "",
      );
    },
    [graph, catalogue],
  );

  const connect = (wire: Connection) => {
    const source = endOf(wire.source, wire.sourceHandle);
    if (wire.target.startsWith("output ")) session.edit((text) => edits.setOutput(text, nameOf(wire.target), source));
    else void wired(session, source, wire.target, wire.targetHandle ?? "");
  };

  const ended: OnConnectEnd = (event, state) => {
    setDrawn(null);
    if (state.isValid || !state.fromNode || !state.fromHandle) return;
    const at = "changedTouches" in event ? event.changedTouches[0]! : event;
    const where = { x: at.clientX, y: at.clientY };
    const out = state.fromHandle.type === "source";
    if (state.toHandle && state.toNode && out)
      return say(
        reasonOf({
          source: state.fromNode.id,
          sourceHandle: state.fromHandle.id ?? null,
          target: state.toNode.id,
          targetHandle: state.toHandle.id ?? null,
        }) || "that cannot be wired",
      );
    const over = (event.target as Element).closest?.(".react-flow__node")?.getAttribute("data-id") ?? null;
    const end = out ? endOf(state.fromNode.id, state.fromHandle.id ?? null) : null;
    const port = out ? null : { node: state.fromNode.id, port: state.fromHandle.id ?? "" };
    if (over !== state.fromNode.id) void dropped(session, end, port, over, where, flow.screenToFlowPosition(where));
  };

  const changedBoxes = (changes: NodeChange<Box>[]) => {
    setBoxes((old) => applyNodeChanges(changes, old));
    for (const change of changes) {
      if (change.type === "position" && change.position && !change.dragging)
        moving.current.set(change.id, [Math.round(change.position.x), Math.round(change.position.y)]);
    }
    if (changes.some((change) => change.type === "select")) {
      setBoxes((old) => {
        const selected = old.filter((box) => box.selected).map((box) => box.id);
        queueMicrotask(() => usePage.setState({ selected }));
        return old;
      });
    }
    if (moving.current.size) {
      clearTimeout(still.current);
      still.current = setTimeout(placed, STILL);
    }
  };

  const changedWires = (changes: EdgeChange<Edge<Wire>>[]) =>
    setWires((old) => {
      const now = applyEdgeChanges(changes, old);
      const chosen = now
        .filter((wire) => wire.selected)
        .map((wire) => ({ source: wire.data!.source, target: wire.target, port: wire.data!.port }));
      queueMicrotask(() => usePage.setState({ wires: chosen }));
      return now;
    });

  function placed(): void {
    const all = new Map<string, readonly [number, number]>();
    const now = page().document!.read.graph;
    for (const [id, place] of moving.current) {
      const was = places.get(id);
      const taken = id.startsWith("output ") && (now.nodes.has(nameOf(id)) || now.inputs.has(nameOf(id)));
      if (!taken && !(was && was[0] === place[0] && was[1] === place[1])) all.set(nameOf(id), place);
    }
    moving.current.clear();
    if (all.size) session.edit((text) => edits.moveAll(text, all));
  }

  const locked = !document.readable || document.link === "reading";
  const shared = useMemo(
    () => ({ graph, catalogue, costs: found, stale, misfits, session }),
    [graph, catalogue, found, stale, misfits, session],
  );
  return (
    <SharedContext.Provider value={shared}>
      <div
        className={`canvas${document.readable ? "" : " unreadable"}`}
        onDoubleClick={(event) => {
          const at = { x: event.clientX, y: event.clientY };
          if ((event.target as Element).classList.contains("react-flow__pane"))
            void adding(session, at, flow.screenToFlowPosition(at));
        }}
      >
        <ReactFlow
          nodes={boxes}
          edges={wires}
          nodeTypes={BOXES}
          onNodesChange={changedBoxes}
          onEdgesChange={changedWires}
          onConnectStart={(_, start) => setDrawn(start)}
          onConnect={connect}
          onConnectEnd={ended}
          isValidConnection={(wire) => !reasonOf(wire)}
          deleteKeyCode={null}
          nodesDraggable={!locked}
          nodesConnectable={!locked}
          connectionRadius={24}
          zoomOnDoubleClick={false}
          fitView
          fitViewOptions={{ maxZoom: 1, padding: 0.08 }}
          minZoom={0.1}
          maxZoom={2}
          selectionKeyCode="Shift"
          multiSelectionKeyCode={["Meta", "Control"]}
          edgesFocusable={false}
          proOptions={{ hideAttribution: true }}
        >
          <Background gap={24} />
        </ReactFlow>
        {!document.readable && (
          <p className="banner" role="status">
            The text cannot be read just now; this is how it was. {document.fault}
          </p>
        )}
      </div>
    </SharedContext.Provider>
  );
}
