/** Wires between what is there, drawn by mouse or chosen by keys. */

import type { PortSpec } from "../api";
import { endsOf, shapeOf, sized } from "../canvas/flow";
import { colourOf, costs } from "../canvas/types";
import { misfit, typeOfRef, wantsPart } from "../canvas/typing";
import * as edits from "../core/edits";
import { type End, specOf } from "../core/graph";
import { refsIn, wiresIn } from "../core/wires";
import type { Written } from "../core/written";
import { type Choice, pick, type Place } from "../dialogs";
import type { Making, Session } from "../document/session";
import { page, say } from "../store";
import { chosen, freeName, graph } from "./selection";

export interface Target {
  node: string;
  port: string;
}

/** Make a port an input of the graph, and return its name; what stood there is its default. */
export function expose(session: Session, node: string, port: string): string {
  const spec = portOf(node, port);
  const value = graph().nodes.get(node)?.ports.get(port);
  const taken = graph().inputs.has(port) || graph().nodes.has(port);
  const facts = new Map<string, Written>();
  if (!value && spec && spec.default !== null && spec.default !== undefined)
    facts.set("default", spec.default as Written);
  if (spec?.range?.low !== null && spec?.range) facts.set("min", spec.range.low as Written);
  if (spec?.range?.high !== null && spec?.range) facts.set("max", spec.range.high as Written);
  const input = taken ? freeName(`${node}_${port}`) : port;
  const type = spec?.type.split(" | ")[0] ?? "str";
  session.edit((text) => edits.exposePort(text, node, port, input, type, facts));
  return input;
}

/** A new output of the graph, named after what it gives. */
export function toOutput(session: Session, source: End): void {
  const { outputs } = graph();
  const type = typeOfRef(graph(), page().catalogue!, source.name, source.port);
  const base = /^[A-Z][a-z]+/.test(type) ? /^[A-Za-z]+/.exec(type)![0].toLowerCase() : source.name;
  let name = base;
  for (let n = 2; outputs.has(name); n++) name = `${base}_${n}`;
  session.edit((text) => edits.setOutput(text, name, source));
}

/** The ports that an output may be wired to; those that do not fit say why. */
export function targets(source: End): Choice[] {
  const { catalogue } = page();
  const known = graph();
  const shape = shapeOf(known, catalogue!, costs(page().judged.planned), source);
  const ports = [...known.nodes.values()]
    .filter((node) => node.name !== source.name)
    .flatMap((node) => (specOf(known, catalogue!, node.name)?.inputs ?? []).map((port) => ({ node: node.name, port })));
  const rows = ports.map(({ node, port }): Choice => {
    const value = known.nodes.get(node)!.ports.get(port.name);
    return {
      key: `${node} ${port.name}`,
      label: `${node}.${port.name}`,
      detail: value ? "in the place of what is there" : port.required ? "needed" : "",
      colour: colourOf(catalogue!, port.type),
      reason: sized(misfit(known, catalogue!, source, node, port.name), shape),
    };
  });
  const outputs = [...known.outputs.keys()].map((name): Choice => ({
    key: `output ${name}`,
    label: `output ${name}`,
    detail: "an output of the graph",
  }));
  return [...rows, ...outputs, { key: "output", label: "new output", detail: "an output of the graph" }];
}

/** What the catalogue says of a port. */
export function portOf(node: string, port: string): PortSpec | undefined {
  return specOf(graph(), page().catalogue!, node)?.inputs.find((one) => one.name === port);
}

/** The wire from a source to a port: beside what is there where the port takes several and that fits, else in its place. */
export function wiring(source: End, node: string, port: string): Making {
  const value = graph().nodes.get(node)?.ports.get(port);
  const fits = !value || refsIn(value).every((ref) => !misfit(graph(), page().catalogue!, ref, node, port));
  const several = fits && portOf(node, port)?.fan_in;
  return (text) => (several ? edits.connectToo : edits.connect)(text, source, node, port);
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
  const measured = costs(page().judged.planned);
  const inputs = [...known.inputs.values()].flatMap(({ name, type }) => [
    { name, port: null as string | null, type },
    ...(wantsPart(known, catalogue!, { name, port: null }, node, port) ? partsOf(name) : []).map((part) => ({
      name,
      port: part,
      type: "a part",
    })),
  ]);
  const outputs = [...known.nodes.keys()].flatMap((name) => endsOf(known, catalogue!, name));
  return [...inputs, ...outputs].map((end): Choice => ({
    key: `${end.name} ${end.port ?? ""}`,
    label: end.port ? `${end.name}.${end.port}` : end.name,
    detail: end.type,
    colour: colourOf(catalogue!, end.type),
    reason: sized(misfit(known, catalogue!, end, node, port), shapeOf(known, catalogue!, measured, end)),
  }));
}

/** The parts of the bundle that an input gives: `base` of `$models.base`. */
export function partsOf(input: string): string[] {
  const found = graph().inputs.get(input);
  if (found?.type !== "Bundle") return [];
  const used = wiresIn(graph()).flatMap(({ source }) => (source.name === input && source.port ? [source.port] : []));
  const named =
    found.default?.kind === "value" ? (page().catalogue!.bundles.get(String(found.default.value)) ?? []) : [];
  return [...new Set([...named, ...used])];
}

/** Wire a source to a port; of a bundle it is asked which part. */
export async function wired(session: Session, source: End, node: string, port: string): Promise<void> {
  const from = wantsPart(graph(), page().catalogue!, source, node, port) ? await partOf(source) : source;
  if (from) session.edit(wiring(from, node, port));
}

/** The part of a bundle that is chosen; null for none. */
export async function partOf({ name }: End): Promise<End | null> {
  const parts = partsOf(name).map((part): Choice => ({ key: part, label: part }));
  const choice = await pick(`which part of ${name}`, parts);
  return choice && { name, port: choice.key };
}

/** Offer what may feed a port. */
export async function feeding(session: Session, node: string, port: string): Promise<void> {
  const choice = await pick(`what feeds ${port} of ${node}`, sources(node, port));
  if (!choice) return;
  const [name = "", out] = choice.key.split(" ");
  await wired(session, { name, port: out || null }, node, port);
}

/** Offer the ports that a source may lead to; `over` are those of one box alone. */
export async function leading(session: Session, source: End, over: string | null = null, place?: Place): Promise<void> {
  const choices = targets(source).filter((choice) => !over || choice.key.startsWith(`${over} `));
  const choice = await pick(`wire ${source.name} to`, choices, place);
  if (!choice) return;
  const [node = "", port] = choice.key.split(" ");
  if (node === "output") wireOutput(session, source, port);
  else await wired(session, source, node, port!);
}

/** Lead what the selected box gives to a port. */
export async function wireOut(session: Session): Promise<void> {
  const name = chosen();
  if (graph().inputs.has(name)) return leading(session, { name, port: null });
  if (!graph().nodes.has(name)) return say("select a node, then C wires what it gives");
  const ends = endsOf(graph(), page().catalogue!, name);
  const rows = ends.map((end) => ({ key: end.out, label: end.out, detail: end.type, end }));
  const choice = rows.length === 1 ? rows[0]! : await pick(`which output of ${name}`, rows);
  if (choice) await leading(session, choice.end);
}

/** Lead something to a port of the selected node. */
export async function wireIn(session: Session): Promise<void> {
  const name = chosen();
  if (!graph().nodes.has(name)) return say("select a node, then I wires something to it");
  const ports = specOf(graph(), page().catalogue!, name)?.inputs ?? [];
  const rows = ports.map((port): Choice => ({ key: port.name, label: port.name, detail: port.type }));
  const choice = await pick(`which port of ${name}`, rows);
  if (choice) await feeding(session, name, choice.key);
}
