/** What whole gestures of the canvas do to the text: wires taken along, nodes put between, copies, another type. */

import { type Between, endsOf, nameOf, outputsOf, wiresOf } from "../canvas/flow";
import { baseOf } from "../canvas/types";
import { misfit, typeOfRef } from "../canvas/typing";
import type { Spot } from "../canvas/view";
import * as edits from "../core/edits";
import { type End, type Graph, type GraphNode, readGraph, specOf, type Value } from "../core/graph";
import { applied } from "../core/text";
import { wiresIn, wiresTo } from "../core/wires";
import { type Written, written } from "../core/written";
import { pick } from "../dialogs";
import type { Making, Session } from "../document/session";
import { page, say, usePage } from "../store";
import { chosen as chosenBox, freeName, graph, placed } from "./selection";
import { wiring } from "./wiring";

/** Whether a reference is to an output of a box. */
function isFrom({ name, port }: End, end: End): boolean {
  const first = outputsOf(graph(), page().catalogue!, name)[0]?.name ?? null;
  return name === end.name && (port ?? first) === (end.port ?? first);
}

/** Let all wires of an output come from another one. Where one of them does not fit nothing is changed, and why is told. */
export function moveWires(session: Session, from: End, to: End): boolean {
  const makes: Making[] = [];
  for (const { source, node, port } of wiresIn(graph()).filter((wire) => isFrom(wire.source, from))) {
    const reason = misfit(graph(), page().catalogue!, to, node, port);
    if (reason) return refused(`${node}: ${reason}`);
    makes.push((text) => edits.rewire(text, source, to, node, port));
  }
  for (const [name, source] of graph().outputs)
    if (isFrom(source, from)) makes.push((text) => edits.setOutput(text, name, to));
  return makes.length ? session.edit(makes) : refused(`nothing is wired to ${from.name}`);
}

/** Lead what the selected node gives around it, from what feeds it, where there is one way that fits; the node stays. */
export function bypass(session: Session): void {
  const name = chosenBox();
  const type = (end: End) => baseOf(typeOfRef(graph(), page().catalogue!, end.name, end.port));
  const own = { name, port: null };
  const feeds = wiresTo(graph().nodes.get(name)!).filter(({ source, axis }) => !axis && type(source) === type(own));
  const [feed, other] = feeds.map(({ source }) => source);
  if (!feed || other || !type(own)) refused(`there is ${other ? "more than one" : "no"} way through ${name}`);
  else moveWires(session, own, feed);
}

function refused(reason: string): false {
  say(reason);
  return false;
}

/** The ports by which a node that feeds nothing goes into a wire; null where it does not fit. */
export function spliced(name: string, { source, target, port }: Between): { enters: string; leaves: End } | null {
  const [known, catalogue] = [graph(), page().catalogue!];
  const node = known.nodes.get(name);
  const used = [...wiresIn(known).map((wire) => wire.source), ...known.outputs.values()];
  if (!node || name === source.name || name === target || used.some((ref) => ref.name === name)) return null;
  const free = (specOf(known, catalogue, name)?.inputs ?? []).filter((one) => !node.ports.has(one.name));
  const enters = free
    .toSorted((a, b) => Number(b.required) - Number(a.required))
    .find((one) => !misfit(known, catalogue, source, name, one.name));
  if (!enters) return null;
  // What the node gives may depend on what it takes: judged with the first wire drawn.
  const after = graphWith(wiring(source, name, enters.name));
  const leaves = endsOf(after, catalogue, name).find(
    (end) => target.startsWith("output ") || !misfit(after, catalogue, end, target, port),
  );
  return leaves ? { enters: enters.name, leaves } : null;
}

function graphWith(make: Making): Graph {
  const { text } = page().document!;
  return readGraph(applied(text, make(text))).graph ?? graph();
}

/** Put a node into a wire, at a place where one is given. */
export function splice(session: Session, name: string, wire: Between, place: Spot | null): boolean {
  const ends = spliced(name, wire);
  if (!ends) return refused(`${name} does not fit there`);
  const { source, target, port } = wire;
  return session.edit([
    wiring(source, name, ends.enters),
    target.startsWith("output ")
      ? (text) => edits.setOutput(text, nameOf(target), ends.leaves)
      : (text) => edits.rewire(text, source, ends.leaves, target, port),
    ...placed(new Map(place ? [[name, place]] : [])),
  ]);
}

/** Copies of nodes, with the wires among them and from what stays, at places where those are given; `stay` are those of others. */
export function copies(
  session: Session,
  at: ReadonlyMap<string, Spot | null>,
  stay: readonly (readonly [string, Spot])[] = [],
): boolean {
  const nodes = [...at.keys()].flatMap((id) => graph().nodes.get(id) ?? []);
  const spots = [...at].flatMap(([id, spot]) => (spot ? [[id, spot] as const] : []));
  return pasted(session, nodes, new Map(spots), stay);
}

/** Add nodes under names that are free, at places where those are given; references among them mean them. */
export function pasted(
  session: Session,
  nodes: readonly GraphNode[],
  at: ReadonlyMap<string, Spot>,
  stay: readonly (readonly [string, Spot])[] = [],
): boolean {
  const names = freshNames(nodes.map((node) => node.name));
  const spots = [...at].flatMap(([id, spot]) => (names.has(id) ? [[names.get(id)!, spot] as const] : []));
  const makes = [...nodes.map((node) => added(node, names)), ...placed(new Map(spots.length ? [...stay, ...spots] : []))];
  return chosen(session, [...names.values()], makes);
}

/** Names that are free for each of some names. */
export function freshNames(names: readonly string[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const name of names) found.set(name, freeName(name, new Set(found.values())));
  return found;
}

/** The node under its new name; what refers to others with a new name means those. */
function added(node: GraphNode, names: ReadonlyMap<string, string>): Making {
  const value = (one: Value): Written => written(renamed(one, names));
  const ports = new Map([...node.ports].map(([port, one]) => [port, value(one)] as const));
  const each = new Map(node.each.map((axis) => [axis.names.join("+"), value(axis.values)] as const));
  return (text) => edits.addNode(text, names.get(node.name) ?? node.name, node.type, { ports, each, note: node.note });
}

function renamed(value: Value, names: ReadonlyMap<string, string>): Value {
  if (value.kind === "list") return { ...value, items: value.items.map((item) => renamed(item, names)) };
  return value.kind === "ref" ? { ...value, name: names.get(value.name) ?? value.name } : value;
}

/** Make edits after which other boxes are selected: the canvas draws what is selected when the text has changed. */
function chosen(session: Session, names: readonly string[], makes: readonly Making[]): boolean {
  const before = page().selected;
  usePage.setState({ selected: names });
  const done = makes.length > 0 && session.edit(makes);
  if (!done) usePage.setState({ selected: before });
  return done;
}

/** Copies of the selected nodes beside them. */
export function duplicate(session: Session): void {
  copies(session, new Map(page().selected.map((id) => [id, null])));
}

/** Offer the wires into which the selected node fits. */
export async function splicing(session: Session): Promise<void> {
  const name = chosenBox();
  const [known, catalogue] = [graph(), page().catalogue!];
  const rows = wiresOf(known, catalogue, (id) => id)
    .map((wire) => ({ key: wire.id, label: wire.id.replace(". to", " to").replace("output ", ""), data: wire.data! }))
    .filter(({ data }) => spliced(name, data));
  if (!rows.length) return say(`${name} fits into no wire; one that feeds something already goes into none`);
  const choice = await pick(`put ${name} into which wire`, rows);
  if (choice) splice(session, name, choice.data, null);
}

/** Offer the outputs to which the wires of the selected node's output may go. */
export async function movingWires(session: Session): Promise<void> {
  const [name, catalogue] = [chosenBox(), page().catalogue!];
  const ends = (box: string) =>
    endsOf(graph(), catalogue, box).map((end) => ({
      key: `${box}.${end.out}`,
      label: end.port ? `${box}.${end.port}` : box,
      detail: end.type,
      end,
    }));
  const own = ends(name);
  const from = own.length === 1 ? own[0]! : await pick(`the wires of which output of ${name}`, own);
  if (!from) return;
  const others = [...graph().nodes.keys()].flatMap(ends).filter(({ key }) => key !== from.key);
  const to = await pick(`the wires of ${from.label} to`, others);
  if (to) moveWires(session, from.end, to.end);
}
