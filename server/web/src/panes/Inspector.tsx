/** What is selected, as a form: a node's values and wires, or the inputs of the graph for the next run. */

import { useState } from "react";
import { words } from "../canvas/flow";
import { baseOf, shown } from "../canvas/types";
import { asThemselves, Choose } from "../Choose";
import { oneOfInput, severalAt } from "../commands/several";
import { expose, feeding } from "../commands/wiring";
import * as edits from "../core/edits";
import { type GraphInput, specOf, type Value } from "../core/graph";
import { refsIn } from "../core/wires";
import { type Written, written } from "../core/written";
import type { Making, Session } from "../document/session";
import type { PortSpec } from "../api";
import { type Catalogue, giveInput, usePage } from "../store";
import { FileField } from "./FileField";
import { Field, type FieldSpec, type Given } from "./Fields";

/** Port types of paths that name no file to read. */
const WRITTEN: readonly string[] = ["PictureFile", "RunFolder", "ReadFolder"];
type Ports = Catalogue["ports"];
const takesFile = (type: string, ports: Ports): boolean =>
  ports.get(baseOf(type))?.literal === "path" && !WRITTEN.includes(baseOf(type));
const isWritten = (type: string, ports: Ports): boolean =>
  ports.get(baseOf(type))?.literal !== "none" && !/^[A-Z]$/.test(type);

/** An example of the models whose names a type takes; empty where it takes none. */
function exampleOf(type: string, ports: Ports): string {
  const port = ports.get(baseOf(type));
  return port?.literal === "name" ? (/such as ([\w/.-]+\w)/.exec(port.doc)?.[1] ?? baseOf(type)) : "";
}

function specOfPort({ name, type, doc, range, menu }: PortSpec, ports: Ports): FieldSpec {
  const bounds = { low: range?.low ?? null, high: range?.high ?? null };
  return { name, type, help: doc, ...bounds, menu, uploads: false, models: exampleOf(type, ports) };
}

function specOfInput({ name, type, help, min, max, menu }: GraphInput, ports: Ports): FieldSpec {
  const takes = { uploads: takesFile(type, ports), models: exampleOf(type, ports) };
  return { name, type, help, low: min, high: max, menu, ...takes };
}

function given(value: Value | null | undefined): Given {
  if (!value) return undefined;
  if (value.kind === "value") return value.value;
  return value.kind === "list" ? value.items.map((item) => given(item) ?? null) : undefined;
}

function asWritten(value: Given): Written {
  if (typeof value === "string") return written({ kind: "value", value });
  return (Array.isArray(value) ? value.map(asWritten) : value) as Written;
}

export function Inspector({ session }: { session: Session }) {
  const { path, read } = usePage((page) => page.document!);
  const { graph } = read;
  const chosen = usePage((page) => (page.selected.length === 1 ? page.selected[0]! : ""));
  if (graph.nodes.has(chosen)) return <NodeForm session={session} name={chosen} />;
  return (
    <>
      <h2>{graph.title || path}</h2>
      <Inputs />
    </>
  );
}

/** The inputs of the graph: what the next run takes. Weights, presets and what else says how are folded away, but for what they are now. */
export function Inputs() {
  const document = usePage((page) => page.document!);
  const values = usePage((page) => page.values);
  const preset = usePage((page) => page.preset);
  const sweep = usePage((page) => page.sweep);
  const { inputs, presets, sweeps } = document.read.graph;
  const fallback = (input: GraphInput) => given(presets.get(preset)?.get(input.name) ?? input.default);
  const row = (input: GraphInput) => (
    <InputField key={input.name} input={input} value={values[input.name] as Given} fallback={fallback(input)} />
  );
  const how = [...inputs.values()].filter(saysHow);
  const folded = how.length + Number(presets.size > 0) > 1 ? how : [];
  const told = folded.filter((input) => input.type === "Bundle" || input.name in values);
  const choice = <OneOf what="preset" of={presets} now={preset} />;
  return (
    <form className="form" onSubmit={(event) => event.preventDefault()}>
      {folded.length === 0 && choice}
      {[...inputs.values()].filter((input) => !folded.includes(input)).map(row)}
      {folded.length > 0 && (
        <details>
          <summary title={`a preset, ${folded.map((input) => input.name).join(", ")}`}>
            <span>{told.map((input) => input.name).join(", ") || "more"}</span>
            {[preset, ...told.map((input) => values[input.name] ?? fallback(input))].filter(Boolean).join(", ")}
          </summary>
          {choice}
          {folded.map(row)}
        </details>
      )}
      <OneOf what="sweep" of={sweeps} now={sweep} />
      {inputs.size === 0 && <p className="quiet">This graph has no inputs: Run takes it as it is.</p>}
    </form>
  );
}

/** Whether an input with a default says how rather than what: weights, menus, and steps after the first. */
function saysHow({ type, menu, default: fallback }: GraphInput, index: number, all: readonly GraphInput[]): boolean {
  const first = all.findIndex((input) => input.type === type);
  return fallback !== null && (type === "Bundle" || menu !== null || (type === "Steps" && first < index));
}

/** One of the presets or sweeps that the file has, or none. */
function OneOf({ what, of, now }: { what: "preset" | "sweep"; of: ReadonlyMap<string, unknown>; now: string }) {
  if (!of.size) return null;
  const choose = (to: string) => usePage.setState(what === "preset" ? { preset: to } : { sweep: to });
  return (
    <label>
      <span>{what}</span>
      <Choose aria-label={what} value={now} options={[["", "none"], ...asThemselves([...of.keys()])]} onChoose={choose} />
    </label>
  );
}

function InputField({ input, value, fallback }: { input: GraphInput; value: Given; fallback: Given }) {
  const ports = usePage((page) => page.catalogue!.ports);
  const typed = usePage((page) => page.each[input.name]);
  const own = usePage(({ document, sweep }) =>
    document!.read.graph.sweeps.get(sweep)?.find(({ names }) => names.includes(input.name)),
  );
  const each = typed ?? (own && shown(own.values));
  const single = () => (typed === undefined ? usePage.setState({ sweep: "" }) : oneOfInput(input.name));
  const spec = specOfInput(input, ports);
  // A file has several buttons: a label would press the first of them.
  const Row = spec.uploads || each !== undefined ? "div" : "label";
  return (
    <Row className="input" title={input.help}>
      <span>{input.name}</span>
      {each === undefined ? (
        <Field spec={spec} value={value} fallback={fallback} onChange={(now) => giveInput(input.name, now)} />
      ) : (
        <button className="chip" onClick={single} title="one value again">
          {each} ×
        </button>
      )}
    </Row>
  );
}

function NodeForm({ session, name }: { session: Session; name: string }) {
  const graph = usePage((page) => page.document!.read.graph);
  const locked = usePage((page) => !page.document!.readable || page.document!.link === "reading");
  const catalogue = usePage((page) => page.catalogue!);
  const [all, setAll] = useState(false);
  const node = graph.nodes.get(name)!;
  const spec = specOf(graph, catalogue, name);
  const ports: readonly PortSpec[] = spec?.inputs ?? [...node.ports.keys()].map((name) => ({ ...UNTYPED, name }));
  const swept = node.each.flatMap((axis) => axis.names);
  const first = (port: PortSpec) =>
    swept.includes(port.name) || port.required || node.ports.has(port.name) || port.default !== null || port.menu;
  const listed = all ? ports : ports.filter(first);
  return (
    <form className="form" onSubmit={(event) => event.preventDefault()}>
      <h2>
        {name} <small>{words(node.type)}</small>
      </h2>
      {spec?.doc && <p className="quiet">{spec.doc.split("\n")[0]}</p>}
      {listed.map((port) => (
        <PortField
          key={`${name}.${port.name}`}
          session={session}
          node={name}
          port={port}
          value={node.ports.get(port.name)}
          locked={locked}
        />
      ))}
      {listed.length < ports.length && (
        <button className="link" onClick={() => setAll(true)}>
          {ports.length - listed.length} more
        </button>
      )}
    </form>
  );
}

/** A port of a node type that the library does not have. */
const UNTYPED = { type: "", required: false, default: null, range: null, menu: null, doc: "", fan_in: false };

interface PortFieldProps {
  session: Session;
  node: string;
  port: PortSpec;
  value: Value | undefined;
  locked: boolean;
}

function PortField({ session, node, port, value, locked }: PortFieldProps) {
  const ports = usePage((page) => page.catalogue!.ports);
  const axis = usePage((page) =>
    page.document!.read.graph.nodes.get(node)?.each.find((one) => one.names.includes(port.name)),
  );
  const refs = value ? refsIn(value) : [];
  const free = refs.length === 0;
  const writes = free && isWritten(port.type, ports);
  const unset: Making = (text) => edits.unsetPort(text, node, port.name);
  const set = (next: Given, joined: boolean) =>
    session.edit(next === undefined ? unset : (text) => edits.setPort(text, node, port.name, asWritten(next)), joined);
  const chips: (readonly [said: string, title: string, off: Making])[] = refs.map((ref) => [
    shown(ref),
    "take this wire off",
    (text) => edits.disconnect(text, ref, node, port.name),
  ]);
  if (axis)
    chips.unshift([
      shown(axis.values),
      `what ${axis.names.join(" and ")} take in turn: take it off`,
      (text) => edits.unsetEach(text, node, axis.names.join("+")),
    ]);
  const tools: readonly (readonly [said: string, title: string, when: boolean, deed: () => unknown])[] = [
    ["wire", `choose what feeds ${port.name}`, free || port.fan_in, () => feeding(session, node, port.name)],
    ["input", `make ${port.name} an input of the graph`, writes, () => expose(session, node, port.name)],
    ["several", `let ${port.name} take several values in turn`, writes, () => severalAt(session, node, port.name)],
    ["reset", "back to the default", free && value !== undefined, () => session.edit(unset)],
  ];
  return (
    <div className="field">
      <label title={`${port.type}${port.doc ? `: ${port.doc}` : ""}`}>
        <span className={port.required && !value ? "missing" : ""}>{port.name}</span>
        {writes && !axis && (
          <Field
            spec={specOfPort(port, ports)}
            value={given(value)}
            fallback={port.default as Given}
            disabled={locked}
            onChange={set}
          />
        )}
      </label>
      {free && takesFile(port.type, ports) && (
        <FileField
          common={{
            id: `file-${port.name}`,
            title: "it becomes an input of the graph",
            disabled: locked,
            "aria-label": `file for ${port.name}`,
          }}
          type={baseOf(port.type) === "Mask" ? "Image" : baseOf(port.type)}
          value={undefined}
          onChange={(file) => giveInput(expose(session, node, port.name), file)}
        />
      )}
      {chips.map(([said, title, off]) => (
        <button key={said} className="chip" disabled={locked} title={title} onClick={() => session.edit(off)}>
          {said} ×
        </button>
      ))}
      <span className="tools">
        {tools.map(
          ([said, title, when, deed]) =>
            when && (
              <button key={said} className="link" disabled={locked} title={title} onClick={() => void deed()}>
                {said}
              </button>
            ),
        )}
      </span>
    </div>
  );
}
