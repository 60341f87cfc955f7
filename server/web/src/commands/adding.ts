/** Nodes, inputs and outputs that are added, by themselves or at the end of a wire. */

import { outputsOf, words } from "../canvas/flow";
import { colourOf } from "../canvas/types";
import { typedOf } from "../canvas/typing";
import * as edits from "../core/edits";
import type { End } from "../core/graph";
import { typeOf } from "../core/fits";
import { search, type Wish } from "../core/search";
import { type Place, pick } from "../dialogs";
import type { Making, Session } from "../document/session";
import { type Choice, ranked } from "../Picker";
import { page, usePage } from "../store";
import { freeName, graph, placed, select } from "./selection";
import { expose, leading, portOf, type Target, toOutput } from "./wiring";

const placing = (name: string, place: Place | null): Making[] =>
  place ? placed(new Map([[name, [Math.round(place.x), Math.round(place.y)]]])) : [];

/** Add a node of a type, at a place where one was pointed at, wired where it came from a wire. */
export function addNode(
  session: Session,
  type: string,
  place: Place | null,
  wire: Making | null = null,
  named?: string,
): boolean {
  const name = named ?? freeName(type);
  // Selected first: the canvas draws what is selected when the text has changed.
  const before = page().selected;
  select(name);
  const done = session.edit([
    (text) => edits.addNode(text, name, type),
    ...placing(name, place),
    ...(wire ? [wire] : []),
  ]);
  if (!done) usePage.setState({ selected: before });
  return done;
}

/** Node types that match what is typed, and inputs and outputs of the graph. */
export function additions(query: string): Choice[] {
  const { catalogue } = page();
  const nodes = search(catalogue!, query).map(({ type }): Choice => ({
    key: `node ${type.name}`,
    label: words(type.name),
    detail: type.doc.split("\n")[0]!,
    colour: colourOf(catalogue!, type.outputs[0]?.type ?? ""),
  }));
  const given = [
    "int",
    "float",
    "bool",
    "str",
    ...[...catalogue!.ports.values()].filter((port) => port.literal !== "none").map((port) => port.name),
  ];
  const inputs = given.map((type): Choice => ({
    key: `input ${type}`,
    label: `input ${type}`,
    detail: "an input of the graph",
    colour: colourOf(catalogue!, type),
  }));
  const outputs = ranked(query, outputChoices());
  const wanted = "output".startsWith(query.trim().split(/\s/)[0]!.toLowerCase());
  return [...(wanted ? [...outputs, ...nodes] : [...nodes, ...outputs]), ...ranked(query, inputs)];
}

function outputChoices(): Choice[] {
  const { selected, catalogue } = page();
  const known = graph();
  return selected
    .filter((id) => known.nodes.has(id))
    .flatMap((name) =>
      outputsOf(known, catalogue!, name).map((port) => ({
        key: `output ${name} ${port.name}`,
        label: `output of ${name}`,
        detail: `an output of the graph from ${port.name}`,
        colour: colourOf(catalogue!, port.type),
      })),
    );
}

/** Do what was chosen of `additions`. */
export function add(session: Session, choice: Choice, place: Place | null): void {
  const [kind, what = "", port = ""] = choice.key.split(" ");
  if (kind === "node") addNode(session, what, place);
  else if (kind === "input") {
    const name = freeName(what.toLowerCase());
    session.edit([(text) => edits.addInput(text, name, what), ...placing(name, place)]);
    select(name);
  } else toOutput(session, { name: what, port: isFirst(what, port) ? null : port });
}

function isFirst(node: string, port: string): boolean {
  return outputsOf(graph(), page().catalogue!, node)[0]?.name === port;
}

/** What can take a wire from a source, or give to a port: the node types that fit, the closest first. */
export function fitting(query: string, source: End | null, target: Target | null): Choice[] {
  const { catalogue } = page();
  const wish = wishOf(source, target);
  const own: Choice[] = source
    ? [{ key: "output", label: "output", detail: "an output of the graph" }]
    : [{ key: "input", label: "input", detail: "an input of the graph" }];
  const hits = wish ? search(catalogue!, query, wish) : [];
  const nodes = hits.map(({ type, port }): Choice => ({
    key: `node ${type.name} ${port}`,
    label: words(type.name),
    detail: source ? `to ${port}` : type.doc.split("\n")[0]!,
    colour: colourOf(catalogue!, type.outputs[0]?.type ?? ""),
  }));
  return query ? [...nodes, ...ranked(query, own)] : [...own, ...nodes];
}

function wishOf(source: End | null, target: Target | null): Wish | null {
  if (source) return { gives: typeOf(typedOf(graph(), page().catalogue!), source) };
  const takes = target && portOf(target.node, target.port);
  return takes ? { takes } : null;
}

/** Do what was chosen of `fitting`. */
export function addWired(
  session: Session,
  choice: Choice,
  source: End | null,
  target: Target | null,
  place: Place | null,
): void {
  const [kind, type = "", port = ""] = choice.key.split(" ");
  if (kind === "output") return toOutput(session, source!);
  if (kind === "input") return void expose(session, target!.node, target!.port);
  const name = freeName(type);
  const first = page().catalogue!.nodes.get(type)?.outputs[0]?.name === port;
  const wire: Making = source
    ? (text) => edits.connect(text, source, name, port)
    : (text) => edits.connect(text, { name, port: first ? null : port }, target!.node, target!.port);
  addNode(session, type, place, wire, name);
}

/** Offer what can be added; `flow` is where it is put, `place` where it is offered. */
export async function adding(session: Session, place?: Place, flow: Place | null = null): Promise<void> {
  const choice = await pick("add a node", additions, place);
  if (choice) add(session, choice, flow);
}

/** Offer what a wire may go to that was let go: ports of the box below it, else what can be added. */
export async function dropped(
  session: Session,
  source: End | null,
  target: Target | null,
  over: string | null,
  place: Place,
  flow: Place,
): Promise<void> {
  if (over) return source ? leading(session, source, over, place) : undefined;
  const title = source ? "what takes it" : "what gives it";
  const choice = await pick(title, (query) => fitting(query, source, target), place);
  if (choice) addWired(session, choice, source, target, flow);
}
