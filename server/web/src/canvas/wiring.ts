/** What happens while a wire is drawn: what does not fit is dimmed with its reason, and the engine is asked where types fit. */

import type { Connection, Edge, Handle, OnConnectEnd, OnConnectStartParams, XYPosition } from "@xyflow/react";
import { useMemo, useRef, useState } from "react";
import { dropped } from "../commands/adding";
import { moveWires } from "../commands/gestures";
import { wired, wiring } from "../commands/wiring";
import * as edits from "../core/edits";
import { type End, type Graph, specOf } from "../core/graph";
import { parseType } from "../core/types";
import { refsIn } from "../core/wires";
import type { Making, Session } from "../document/session";
import { judgeSoon, refusalOf } from "../judging";
import { type Catalogue, page, say } from "../store";
import { nameOf, outputsOf, sized } from "./flow";
import { misfit, wantsPart } from "./typing";

/** How long a wire stays over a port before the engine is asked. */
const WAIT = 120;
/** And how long it is before it is asked again, where it had no answer. */
const AGAIN = 1_000;
/** So many wires at most are asked about before they are held over a port. */
const MOST = 8;

export interface Hint {
  words: string;
  bad: boolean;
  wire?: Connection;
}
interface Drawn extends OnConnectStartParams {
  /** Whether all wires of the output are taken along. */
  moves: boolean;
}

/** The end that a handle of a box is. */
export function endOf(graph: Graph, catalogue: Catalogue, id: string, handle: string | null | undefined): End {
  const first = outputsOf(graph, catalogue, id)[0]?.name;
  return { name: id, port: graph.inputs.has(id) || !handle || first === handle ? null : handle };
}

/** Why a wire between two boxes may not be; an output of the graph takes everything. */
function reasonAt(graph: Graph, catalogue: Catalogue, source: End, target: string, port: string): string {
  return graph.nodes.has(target) ? misfit(graph, catalogue, source, target, port) : "";
}

/** The wires that a drawn one may become, by the port where it would end: `node.port`, and `node:output` against its way. */
function candidates(graph: Graph, catalogue: Catalogue, { nodeId, handleId, handleType, moves }: Drawn) {
  if (!nodeId || moves) return [];
  const wire = (source: string, sourceHandle: string | null, target: string, targetHandle: string): Connection => ({
    source,
    sourceHandle,
    target,
    targetHandle,
  });
  if (handleType === "source")
    return [...graph.nodes].flatMap(([name]) =>
      (specOf(graph, catalogue, name)?.inputs ?? []).map(
        (port) => [`${name}.${port.name}`, wire(nodeId, handleId, name, port.name)] as const,
      ),
    );
  return [...graph.inputs.keys(), ...graph.nodes.keys()].flatMap((name) =>
    (graph.inputs.has(name) ? [{ name: "" }] : outputsOf(graph, catalogue, name)).map(
      (port) => [`${name}:${port.name}`, wire(name, port.name, nodeId, handleId ?? "")] as const,
    ),
  );
}

/** Whether a port takes any type, as far as the library says: only the engine knows what it can do with it. */
function isOpen(graph: Graph, catalogue: Catalogue, { target, targetHandle }: Connection): boolean {
  const port = specOf(graph, catalogue, target)?.inputs.find(({ name }) => name === targetHandle);
  return port !== undefined && parseType(port.type, catalogue.ports).variable;
}

/** Asks the engine about wires: at once about those to ports that take any type, else when they are held over a port; what it has against them, empty where it has nothing. */
function useAsking(session: Session) {
  const [refused, setRefused] = useState<ReadonlyMap<string, string>>(new Map());
  const asked = useRef<{ key: string; timer: ReturnType<typeof setTimeout> } | null>(null);
  const first = useRef<object | null>(null);
  const known = async (key: string, wire: Making): Promise<boolean> => {
    const reason = await refusalOf(session.text, wire);
    if (reason !== null) setRefused((old) => new Map(old).set(key, reason));
    return reason !== null;
  };
  const about = (key: string, wire: Making): void => {
    if (asked.current?.key === key || refused.has(key)) return;
    first.current = null;
    clearTimeout(asked.current?.timer);
    const ask = async () => {
      if (!(await known(key, wire)) && asked.current?.key === key) asked.current.timer = setTimeout(() => void ask(), AGAIN);
    };
    asked.current = { key, timer: setTimeout(() => void ask(), WAIT) };
  };
  const begin = async (wires: readonly (readonly [key: string, wire: Making])[]) => {
    setRefused(new Map());
    const mine = (first.current = {});
    for (const [key, wire] of wires) if (first.current === mine) await known(key, wire);
  };
  const end = () => {
    clearTimeout(asked.current?.timer);
    if (page().judged.stale) judgeSoon(0);
    asked.current = first.current = null;
  };
  return { refused, about, begin, end };
}

/** A wire from one handle to another, whichever of them it is drawn from. */
function between(from: string, handle: Handle, to: string, other: Handle): Connection {
  const [source, target] = handle.type === "source" ? [from, to] : [to, from];
  const [out, into] = handle.type === "source" ? [handle, other] : [other, handle];
  return { source, sourceHandle: out.id ?? null, target, targetHandle: into.id ?? "" };
}

/** What a wire that fits would do: the shape that goes through it, and what it takes the place of. */
function doing(graph: Graph, catalogue: Catalogue, wire: Connection, shape: string): Hint {
  const end = endOf(graph, catalogue, wire.source, wire.sourceHandle);
  const [node, port] = [graph.nodes.get(wire.target), wire.targetHandle ?? ""];
  const [there] = [node?.ports.get(port)].flatMap((value) => (value ? refsIn(value) : []));
  const several = specOf(graph, catalogue, wire.target)?.inputs.find((one) => one.name === port)?.fan_in;
  const place = there && !several ? `in the place of $${there.name}` : "";
  const known = !node || wantsPart(graph, catalogue, end, wire.target, port);
  return { words: [shape, place].filter(Boolean).join(" "), bad: false, ...(known ? {} : { wire }) };
}

/** What the canvas does while wires are drawn. */
export function useWiring(
  session: Session,
  graph: Graph,
  catalogue: Catalogue,
  describe: (end: End) => string,
  toFlow: (at: XYPosition) => XYPosition,
) {
  const [drawn, setDrawn] = useState<Drawn | null>(null);
  const { refused, ...asking } = useAsking(session);
  const sourceOf = (wire: Connection | Edge): End => endOf(graph, catalogue, wire.source, wire.sourceHandle);

  const reasonOf = (wire: Connection | Edge): string => {
    const source = sourceOf(wire);
    const reason = reasonAt(graph, catalogue, source, wire.target, wire.targetHandle ?? "");
    return sized(reason, describe(source)) || (refused.get(keyOf(wire)) ?? "");
  };
  /** The ports and outputs that the drawn wire may not go to, with the reason. */
  const misfits = useMemo(
    () => drawn && new Map(candidates(graph, catalogue, drawn).map(([port, wire]) => [port, reasonOf(wire)])),
    [drawn, graph, catalogue, refused],
  );
  const made = (wire: Connection): Making => wiring(sourceOf(wire), wire.target, wire.targetHandle ?? "");
  const asks = (wire: Connection): void => asking.about(keyOf(wire), made(wire));

  /** What letting the wire go over a port would do, in words; `wire` where only the engine knows whether it may. */
  const hint = (from: string, handle: Handle, to: string, other: Handle): Hint => {
    if (drawn?.moves) return { words: "takes all wires along", bad: other.type !== "source" };
    if (other.type === handle.type) return { words: "", bad: true };
    const wire = between(from, handle, to, other);
    const reason = reasonOf(wire);
    return reason ? { words: reason, bad: true } : doing(graph, catalogue, wire, describe(sourceOf(wire)));
  };

  const started = (event: MouseEvent | TouchEvent, start: OnConnectStartParams): void => {
    const now = { ...start, moves: start.handleType === "source" && (event.ctrlKey || event.metaKey) };
    const open = candidates(graph, catalogue, now).filter(([, wire]) => isOpen(graph, catalogue, wire) && !reasonOf(wire));
    void asking.begin(open.slice(0, MOST).map(([, wire]) => [keyOf(wire), made(wire)]));
    setDrawn(now);
  };

  const connect = (wire: Connection): void => {
    // The engine may have answered since the pointer moved last.
    const reason = reasonOf(wire);
    if (reason) return say(reason);
    const source = sourceOf(wire);
    if (wire.target.startsWith("output ")) session.edit((text) => edits.setOutput(text, nameOf(wire.target), source));
    else void wired(session, source, wire.target, wire.targetHandle ?? "");
  };

  const ended: OnConnectEnd = (event, state) => {
    asking.end();
    setDrawn(null);
    const { fromNode, fromHandle, toNode, toHandle } = state;
    if (!fromNode || !fromHandle) return;
    const out = fromHandle.type === "source";
    const [from, to] = [endOf(graph, catalogue, fromNode.id, fromHandle.id), toHandle];
    if (drawn?.moves) {
      if (toNode && to?.type === "source")
        moveWires(session, from, endOf(graph, catalogue, toNode.id, to.id));
      return;
    }
    if (state.isValid) return;
    const at = "changedTouches" in event ? event.changedTouches[0]! : event;
    const where = { x: at.clientX, y: at.clientY };
    if (toNode && to && to.type !== fromHandle.type)
      return say(hint(fromNode.id, fromHandle, toNode.id, to).words || "that cannot be wired");
    const over = (event.target as Element).closest?.(".react-flow__node")?.getAttribute("data-id") ?? null;
    const port = out ? null : { node: fromNode.id, port: fromHandle.id ?? "" };
    if (over !== fromNode.id) void dropped(session, out ? from : null, port, over, where, toFlow(where));
  };
  const valid = (wire: Connection | Edge) => !drawn?.moves && !reasonOf(wire);
  return { misfits, refused, hint, asks, started, connect, ended, valid };
}

const keyOf = (wire: Connection | Edge): string =>
  [wire.source, wire.sourceHandle, wire.target, wire.targetHandle].join(" ");
