/** Nodes, inputs and outputs that are added, by themselves or at the end of a wire. */

import { HEAD, outputsOf, ROW, WIDTH, words } from "../canvas/flow";
import { colourOf } from "../canvas/types";
import { isBundle, takesPart, typedOf } from "../canvas/typing";
import * as edits from "../core/edits";
import type { End } from "../core/graph";
import { typeOf } from "../core/fits";
import { type Hit, search, type Wish } from "../core/search";
import type { Written } from "../core/written";
import { type Choice, pick, type Place, ranked } from "../dialogs";
import type { Making, Session } from "../document/session";
import { page, usePage } from "../store";
import { freeName, graph, placed, select } from "./selection";
import { expose, leading, partOf, portOf, type Target, toOutput } from "./wiring";

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
  const models = query.trim().length > 2 ? ranked(query, modelChoices()).slice(0, MODELS) : [];
  const outputs = ranked(query, outputChoices());
  const wanted = "output".startsWith(query.trim().split(/\s/)[0]!.toLowerCase());
  const asked = inputs.filter(({ label }) => label.toLowerCase() === query.trim().toLowerCase());
  const others = ranked(query, inputs).filter((input) => !asked.includes(input));
  return [...asked, ...models, ...(wanted ? [...outputs, ...nodes] : [...nodes, ...outputs]), ...others];
}

/** Of so many bundles at most an input is offered before the nodes. */
const MODELS = 4;

/** Bundles of models, each as an input of the graph that gives it. */
function modelChoices(): Choice[] {
  const { catalogue } = page();
  return [...catalogue!.bundles.keys()].map((name) => ({
    key: `bundle ${name}`,
    label: name,
    detail: "its models, from an input of the graph",
    words: "weights checkpoint load",
    colour: colourOf(catalogue!, "Bundle"),
  }));
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
  else if (kind === "input") addInput(session, what, what, place);
  else if (kind === "bundle") addInput(session, "models", "Bundle", place, new Map([["default", what]]));
  else toOutput(session, { name: what, port: isFirst(what, port) ? null : port });
}

function addInput(
  session: Session,
  base: string,
  type: string,
  place: Place | null,
  facts: ReadonlyMap<string, Written> = new Map(),
): void {
  const name = freeName(base.toLowerCase());
  session.edit([(text) => edits.addInput(text, name, type, facts), ...placing(name, place)]);
  select(name);
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
  const bundle = source && isBundle(graph(), source);
  const hits = bundle ? partTakers(query) : wish ? search(catalogue!, query, wish) : [];
  const nodes = hits.map(({ type, port }): Choice => ({
    key: `node ${type.name} ${port}`,
    label: words(type.name),
    detail: source ? `to ${port}` : type.doc.split("\n")[0]!,
    colour: colourOf(catalogue!, type.outputs[0]?.type ?? ""),
  }));
  return query ? [...nodes, ...ranked(query, own)] : [...own, ...nodes];
}

/** The node types that take a model of a bundle. */
function partTakers(query: string): Hit[] {
  const { catalogue } = page();
  return search(catalogue!, query).flatMap((hit) => {
    const port = hit.type.inputs.find(({ type }) => takesPart(catalogue!, type));
    return port ? [{ ...hit, port: port.name }] : [];
  });
}

function wishOf(source: End | null, target: Target | null): Wish | null {
  if (source) return { gives: typeOf(typedOf(graph(), page().catalogue!), source) };
  const takes = target && portOf(target.node, target.port);
  return takes ? { takes } : null;
}

/** Where a box of a type stands whose port is at a place: an input at its left side, an output at its right. */
function portAt({ x, y }: Place, type: string, port: string, into: boolean): Place {
  const { inputs = [], outputs = [] } = page().catalogue!.nodes.get(type) ?? {};
  const rows = inputs.filter((one) => one.required || (into && one.name === port));
  const row = into
    ? rows.findIndex((one) => one.name === port)
    : rows.length + outputs.findIndex((one) => one.name === port);
  return { x: x - (into ? 0 : WIDTH), y: y - HEAD - (row + 0.5) * ROW };
}

/** Do what was chosen of `fitting`; the port of a new node comes to the place. */
export async function addWired(
  session: Session,
  choice: Choice,
  source: End | null,
  target: Target | null,
  place: Place | null,
): Promise<void> {
  const [kind, type = "", port = ""] = choice.key.split(" ");
  if (kind === "output") return toOutput(session, source!);
  if (kind === "input") return void expose(session, target!.node, target!.port);
  const from = source && isBundle(graph(), source) ? await partOf(source) : source;
  if (source && !from) return;
  const name = freeName(type);
  const first = page().catalogue!.nodes.get(type)?.outputs[0]?.name === port;
  const wire: Making = from
    ? (text) => edits.connect(text, from, name, port)
    : (text) => edits.connect(text, { name, port: first ? null : port }, target!.node, target!.port);
  addNode(session, type, place && portAt(place, type, port, source !== null), wire, name);
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
  if (choice) await addWired(session, choice, source, target, flow);
}
