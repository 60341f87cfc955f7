/** What can be done to the graph from the canvas, by mouse and by keys alike. */

import { nameOf, outputsOf, words } from "./canvas/flow";
import { colourOf } from "./canvas/types";
import { type End, misfit, typedOf, typeOfRef } from "./canvas/typing";
import * as edits from "./core/edits";
import { type Port, typeOf } from "./core/fits";
import type { Graph } from "./core/graph";
import { search, type Wish } from "./core/search";
import { refsIn } from "./core/wires";
import { type Written, written } from "./core/written";
import type { Making, Session } from "./document/session";
import { type Choice, ranked } from "./Picker";
import { page, usePage } from "./store";

export interface Target {
  node: string;
  port: string;
}
type Place = { x: number; y: number } | null;

const graph = (): Graph => page().document!.read.graph;

/** A name that is not taken: `schedule`, `schedule_2` … */
export function freeName(base: string): string {
  const known = graph();
  const plain = base.replace(/[^A-Za-z0-9_]/g, "_").replace(/^(?=\d)/, "_") || "node";
  for (let n = 1; ; n++) {
    const name = n === 1 ? plain : `${plain}_${n}`;
    if (!known.nodes.has(name) && !known.inputs.has(name)) return name;
  }
}

function select(id: string): void {
  usePage.setState({ selected: [id] });
}

const placing = (name: string, place: Place): Making[] =>
  place ? [(text) => edits.move(text, name, Math.round(place.x), Math.round(place.y))] : [];

/** Add a node of a type, at a place where one was pointed at, wired where it came from a wire. */
export function addNode(
  session: Session,
  type: string,
  place: Place,
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
  return [...ranked(query, outputChoices()), ...nodes, ...ranked(query, inputs)];
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
export function add(session: Session, choice: Choice, place: Place): void {
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

function toOutput(session: Session, source: End): void {
  const { outputs } = graph();
  const type = typeOfRef(graph(), page().catalogue!, source.name, source.port);
  const base = /^[A-Z][a-z]+/.test(type) ? /^[A-Za-z]+/.exec(type)![0].toLowerCase() : source.name;
  let name = base;
  for (let n = 2; outputs.has(name); n++) name = `${base}_${n}`;
  session.edit((text) => edits.setOutput(text, name, source));
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

function portOf(node: string, port: string): Port | undefined {
  return page()
    .catalogue!.nodes.get(graph().nodes.get(node)?.type ?? "")
    ?.inputs.find((one) => one.name === port);
}

/** Do what was chosen of `fitting`. */
export function addWired(
  session: Session,
  choice: Choice,
  source: End | null,
  target: Target | null,
  place: Place,
): void {
  const [kind, type = "", port = ""] = choice.key.split(" ");
  if (kind === "output") return toOutput(session, source!);
  if (kind === "input") return expose(session, target!.node, target!.port);
  const name = freeName(type);
  const first = page().catalogue!.nodes.get(type)?.outputs[0]?.name === port;
  const wire: Making = source
    ? (text) => edits.connect(text, source, name, port)
    : (text) => edits.connect(text, { name, port: first ? null : port }, target!.node, target!.port);
  addNode(session, type, place, wire, name);
}

/** Make a port an input of the graph; what stood there is its default. */
export function expose(session: Session, node: string, port: string): void {
  const spec = page()
    .catalogue!.nodes.get(graph().nodes.get(node)?.type ?? "")
    ?.inputs.find((one) => one.name === port);
  const value = graph().nodes.get(node)?.ports.get(port);
  const taken = graph().inputs.has(port) || graph().nodes.has(port);
  const facts = new Map<string, Written>();
  if (!value && spec && spec.default !== null && spec.default !== undefined)
    facts.set("default", spec.default as Written);
  if (spec?.range?.low !== null && spec?.range) facts.set("min", spec.range.low as Written);
  if (spec?.range?.high !== null && spec?.range) facts.set("max", spec.range.high as Written);
  session.edit((text) =>
    edits.exposePort(
      text,
      node,
      port,
      taken ? freeName(`${node}_${port}`) : port,
      spec?.type.split(" | ")[0] ?? "str",
      facts,
    ),
  );
}

/** The ports that an output may be wired to; those that do not fit say why. */
export function targets(source: End): Choice[] {
  const { catalogue } = page();
  const known = graph();
  const ports = [...known.nodes.values()]
    .filter((node) => node.name !== source.name)
    .flatMap((node) => (catalogue!.nodes.get(node.type)?.inputs ?? []).map((port) => ({ node: node.name, port })));
  const rows = ports.map(({ node, port }): Choice => {
    const value = known.nodes.get(node)!.ports.get(port.name);
    return {
      key: `${node} ${port.name}`,
      label: `${node}.${port.name}`,
      detail: value ? "in the place of what is there" : port.required ? "needed" : "",
      colour: colourOf(catalogue!, port.type),
      reason: misfit(known, catalogue!, source, node, port.name),
    };
  });
  const outputs = [...known.outputs.keys()].map((name): Choice => ({
    key: `output ${name}`,
    label: `output ${name}`,
    detail: "an output of the graph",
  }));
  return [...rows, ...outputs, { key: "output", label: "new output", detail: "an output of the graph" }];
}

/** Wire a source to a port: beside what is there where the port takes several, else in its place. */
export function wire(session: Session, source: End, node: string, port: string): boolean {
  const type = graph().nodes.get(node)?.type ?? "";
  const several = page()
    .catalogue!.nodes.get(type)
    ?.inputs.find((one) => one.name === port)?.fan_in;
  return session.edit((text) => (several ? edits.connectToo : edits.connect)(text, source, node, port));
}

/** Let an output of the graph, or a new one, come from a source. */
export function wireOutput(session: Session, source: End, name: string | undefined): void {
  if (name) session.edit((text) => edits.setOutput(text, name, source));
  else toOutput(session, source);
}

/** What may feed a port; what does not fit says why. */
export function sources(node: string, port: string): Choice[] {
  const { catalogue } = page();
  const known = graph();
  const inputs = [...known.inputs.values()].flatMap(({ name, type }) => [
    { name, port: null as string | null, type },
    ...partsOf(name).map((part) => ({ name, port: part, type: "a part" })),
  ]);
  const outputs = [...known.nodes.keys()].flatMap((name) =>
    outputsOf(known, catalogue!, name).map((out, n) => ({ name, port: n === 0 ? null : out.name, type: out.type })),
  );
  return [...inputs, ...outputs].map((end): Choice => ({
    key: `${end.name} ${end.port ?? ""}`,
    label: end.port ? `${end.name}.${end.port}` : end.name,
    detail: end.type,
    colour: colourOf(catalogue!, end.type),
    reason: misfit(known, catalogue!, end, node, port),
  }));
}

/** The parts of the bundle that an input gives: `base` of `$models.base`. */
export function partsOf(input: string): string[] {
  const found = graph().inputs.get(input);
  if (found?.type !== "Bundle") return [];
  const used = [...graph().nodes.values()]
    .flatMap((node) => [...node.ports.values()].flatMap(refsIn))
    .filter((ref) => ref.name === input && ref.port);
  const named =
    found.default?.kind === "value" ? (page().catalogue!.bundles.get(String(found.default.value)) ?? []) : [];
  return [...new Set([...named, ...used.map((ref) => ref.port!)])];
}

/** The wires at what a node gives; where it goes, what fed it goes on where the types are the same. */
function healed(name: string): Making[] {
  const known = graph();
  const { catalogue } = page();
  const feeds = [...(known.nodes.get(name)?.ports.values() ?? [])].flatMap(refsIn);
  const stand = (port: string | null) => {
    const type = typeOfRef(known, catalogue!, name, port).replace(/\[.*/, "");
    return feeds.find((ref) => type && typeOfRef(known, catalogue!, ref.name, ref.port).replace(/\[.*/, "") === type);
  };
  const makes: Making[] = [];
  for (const node of known.nodes.values()) {
    for (const [port, value] of node.ports) {
      for (const ref of refsIn(value).filter((one) => one.name === name)) {
        const other = stand(ref.port);
        if (node.name === name) continue;
        makes.push((text) =>
          other && value.kind === "ref"
            ? edits.connect(text, other, node.name, port)
            : edits.disconnect(text, ref, node.name, port),
        );
      }
    }
  }
  for (const [output, ref] of known.outputs) {
    const other = stand(ref.port);
    if (ref.name === name)
      makes.push((text) => (other ? edits.setOutput(text, output, other) : edits.unsetOutput(text, output)));
  }
  return makes;
}

/** Take away what is selected: boxes, their wires healed where types fit, and wires. */
export function remove(session: Session): void {
  const { selected, wires } = page();
  const known = graph();
  const makes: Making[] = [];
  for (const { source, target, port } of wires) {
    if (target.startsWith("output ")) makes.push((text) => edits.unsetOutput(text, nameOf(target)));
    else if (!selected.includes(target) && !selected.includes(source.name))
      makes.push((text) => edits.disconnect(text, source, target, port));
  }
  if (selected.length > 1) for (const id of selected) makes.push(...detached(id, selected));
  for (const id of selected) {
    if (id.startsWith("output ")) makes.push((text) => edits.unsetOutput(text, nameOf(id)));
    else if (known.inputs.has(id)) makes.push(...healed(id), (text) => edits.removeInput(text, id));
    else if (known.nodes.has(id))
      makes.push(...(selected.length > 1 ? [] : healed(id)), (text) => edits.removeNode(text, id));
  }
  if (makes.length && session.edit(makes)) usePage.setState({ selected: [], wires: [] });
}

/** The wires from a box to those that stay, taken off. */
function detached(id: string, going: readonly string[]): Making[] {
  const known = graph();
  const makes: Making[] = [];
  for (const node of known.nodes.values()) {
    if (going.includes(node.name)) continue;
    for (const [port, value] of node.ports)
      for (const ref of refsIn(value))
        if (ref.name === id) makes.push((text) => edits.disconnect(text, ref, node.name, port));
  }
  for (const [output, ref] of known.outputs)
    if (ref.name === id && !going.includes(`output ${output}`)) makes.push((text) => edits.unsetOutput(text, output));
  return makes;
}

/** Copies of the selected nodes beside them, with the same wires. */
export function duplicate(session: Session): void {
  const known = graph();
  const makes: Making[] = [];
  const made: string[] = [];
  for (const id of page().selected) {
    const node = known.nodes.get(id);
    if (!node) continue;
    const name = freeName(`${id}_copy`);
    const ports = new Map([...node.ports].map(([port, value]) => [port, written(value)] as const));
    made.push(name);
    makes.push((text) => edits.addNode(text, name, node.type, { ports }));
  }
  const before = page().selected;
  usePage.setState({ selected: made });
  if (!makes.length || !session.edit(makes)) usePage.setState({ selected: before });
}

/** Give what is selected another name, in all that refers to it. */
export function rename(session: Session, id: string, to: string): boolean {
  const known = graph();
  if (id.startsWith("output ")) {
    const ref = known.outputs.get(nameOf(id))!;
    return session.edit([(text) => edits.setOutput(text, to, ref), (text) => edits.unsetOutput(text, nameOf(id))]);
  }
  const before = page().selected;
  usePage.setState({ selected: [to] });
  const done = session.edit((text) =>
    known.inputs.has(id) ? edits.renameInput(text, id, to) : edits.renameNode(text, id, to),
  );
  if (!done) usePage.setState({ selected: before });
  return done;
}

/** Forget all places: the canvas lays itself out. */
export function arrangeAnew(session: Session): void {
  session.edit(
    [...graph().layout.keys()].map(
      (name): Making =>
        (text) =>
          edits.unplace(text, name),
    ),
  );
}
