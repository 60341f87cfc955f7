/** What is selected, as a form: a node's values and wires, or the inputs of the graph for the next run. */

import { useState } from "react";
import { words } from "../canvas/flow";
import { baseOf, shown } from "../canvas/types";
import { oneOfInput, severalAt } from "../commands/several";
import { expose, feeding } from "../commands/wiring";
import * as edits from "../core/edits";
import type { GraphInput, Value } from "../core/graph";
import { refsIn } from "../core/wires";
import { type Written, written } from "../core/written";
import type { Session } from "../document/session";
import type { PortSpec } from "../api";
import { type Catalogue, usePage } from "../store";
import { FileField } from "./FileField";
import { Field, type FieldSpec, type Given } from "./Fields";

/** What may stand for a value of a type beside what is typed. */
function helpers(type: string, ports: Catalogue["ports"]): { path: boolean; models: string } {
  const base = baseOf(type);
  const port = ports.get(base);
  const models = port?.literal === "name" ? (/such as ([\w/.-]+\w)/.exec(port.doc)?.[1] ?? base) : "";
  return { path: port?.literal === "path" && !WRITTEN.includes(base), models };
}
/** Port types of paths that name no file to read. */
const WRITTEN: readonly string[] = ["PictureFile", "RunFolder", "ReadFolder"];
const specOfPort = (port: PortSpec, ports: Catalogue["ports"]): FieldSpec => ({
  name: port.name,
  type: port.type,
  help: port.doc,
  low: port.range?.low ?? null,
  high: port.range?.high ?? null,
  menu: port.menu,
  uploads: false,
  models: helpers(port.type, ports).models,
});
const specOfInput = (input: GraphInput, ports: Catalogue["ports"]): FieldSpec => ({
  name: input.name,
  type: input.type,
  help: input.help,
  low: input.min,
  high: input.max,
  menu: input.menu,
  uploads: helpers(input.type, ports).path,
  models: helpers(input.type, ports).models,
});

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

/** The inputs of the graph: what the next run takes. Weights and presets are folded away, but for what they are now. */
export function Inputs() {
  const document = usePage((page) => page.document!);
  const values = usePage((page) => page.values);
  const preset = usePage((page) => page.preset);
  const { inputs, presets } = document.read.graph;
  const fallback = (input: GraphInput) => given(presets.get(preset)?.get(input.name) ?? input.default);
  const row = (input: GraphInput) => (
    <InputField key={input.name} input={input} value={values[input.name] as Given} fallback={fallback(input)} />
  );
  const weights = [...inputs.values()].filter((input) => input.type === "Bundle" && input.default);
  const folded = weights.length + Number(presets.size > 0) > 1 ? weights : [];
  const choice = presets.size > 0 && <Preset names={[...presets.keys()]} now={preset} />;
  return (
    <form className="form" onSubmit={(event) => event.preventDefault()}>
      {folded.length === 0 && choice}
      {[...inputs.values()].filter((input) => !folded.includes(input)).map(row)}
      {folded.length > 0 && (
        <details>
          <summary title="which weights, and a preset for them">
            <span>{folded.map((input) => input.name).join(", ")}</span>
            {[preset, ...folded.map((input) => values[input.name] ?? fallback(input))].filter(Boolean).join(", ")}
          </summary>
          {choice}
          {folded.map(row)}
        </details>
      )}
      {inputs.size === 0 && <p className="quiet">This graph has no inputs: Run takes it as it is.</p>}
    </form>
  );
}

function Preset({ names, now }: { names: readonly string[]; now: string }) {
  return (
    <label>
      <span>preset</span>
      <select aria-label="preset" value={now} onChange={(event) => usePage.setState({ preset: event.target.value })}>
        <option value="">none</option>
        {names.map((name) => (
          <option key={name}>{name}</option>
        ))}
      </select>
    </label>
  );
}

function InputField({ input, value, fallback }: { input: GraphInput; value: Given; fallback: Given }) {
  const ports = usePage((page) => page.catalogue!.ports);
  const each = usePage((page) => page.each[input.name]);
  const spec = specOfInput(input, ports);
  const set = (value: Given) => usePage.setState((old) => ({ values: { ...old.values, [input.name]: value } }));
  // A file has several buttons: a label would press the first of them.
  const Row = spec.uploads || each !== undefined ? "div" : "label";
  return (
    <Row className="input" title={input.help}>
      <span>{input.name}</span>
      {each === undefined ? (
        <Field spec={spec} value={value} fallback={fallback} onChange={set} />
      ) : (
        <button className="chip" onClick={() => oneOfInput(input.name)} title="one value again">
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
  const spec = catalogue.nodes.get(node.type);
  const ports: PortSpec[] =
    spec?.inputs ??
    [...node.ports.keys()].map((port) => ({
      name: port,
      type: "",
      required: false,
      default: null,
      range: null,
      menu: null,
      doc: "",
      fan_in: false,
    }));
  const swept = node.each.flatMap((axis) => axis.names);
  const first = (port: PortSpec) =>
    swept.includes(port.name) || port.required || node.ports.has(port.name) || port.range || port.menu;
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

const literal = (type: string, ports: ReadonlyMap<string, { literal: string }>) =>
  ports.get(/^(?:list\[)?([A-Za-z]+)/.exec(type)?.[1] ?? "")?.literal !== "none" && !/^[A-Z]$/.test(type);

function PortField({
  session,
  node,
  port,
  value,
  locked,
}: {
  session: Session;
  node: string;
  port: PortSpec;
  value: Value | undefined;
  locked: boolean;
}) {
  const catalogue = usePage((page) => page.catalogue!);
  const axis = usePage((page) =>
    page.document!.read.graph.nodes.get(node)?.each.find((one) => one.names.includes(port.name)),
  );
  const refs = value ? refsIn(value) : [];
  const writes = literal(port.type, catalogue.ports);
  return (
    <div className="field">
      <label title={`${port.type}${port.doc ? `: ${port.doc}` : ""}`}>
        <span className={port.required && !value ? "missing" : ""}>{port.name}</span>
        {refs.length === 0 && writes && !axis && (
          <Field
            spec={specOfPort(port, catalogue.ports)}
            value={given(value)}
            fallback={port.default as Given}
            disabled={locked}
            onChange={(next, joined) =>
              session.edit(
                (text) =>
                  next === undefined
                    ? edits.unsetPort(text, node, port.name)
                    : edits.setPort(text, node, port.name, asWritten(next)),
                joined,
              )
            }
          />
        )}
      </label>
      {refs.length === 0 && helpers(port.type, catalogue.ports).path && (
        <FileField
          common={{
            id: `file-${port.name}`,
            title: "it becomes an input of the graph",
            disabled: locked,
            "aria-label": `file for ${port.name}`,
          }}
          type={baseOf(port.type) === "Mask" ? "Image" : baseOf(port.type)}
          value={undefined}
          onChange={(file) => {
            const input = expose(session, node, port.name);
            usePage.setState((old) => ({ values: { ...old.values, [input]: file } }));
          }}
        />
      )}
      {axis && (
        <button
          className="chip"
          disabled={locked}
          title={`what ${axis.names.join(" and ")} take in turn: take it off`}
          onClick={() => session.edit((text) => edits.unsetEach(text, node, axis.names.join("+")))}
        >
          {shown(axis.values)} ×
        </button>
      )}
      {refs.map((ref) => (
        <button
          key={shown(ref)}
          className="chip"
          disabled={locked}
          title="take this wire off"
          onClick={() => session.edit((text) => edits.disconnect(text, ref, node, port.name))}
        >
          {shown(ref)} ×
        </button>
      ))}
      <span className="tools">
        {(refs.length === 0 || port.fan_in) && (
          <button
            className="link"
            disabled={locked}
            onClick={() => void feeding(session, node, port.name)}
            title={`choose what feeds ${port.name}`}
          >
            wire
          </button>
        )}
        {refs.length === 0 && writes && (
          <button
            className="link"
            disabled={locked}
            onClick={() => expose(session, node, port.name)}
            title={`make ${port.name} an input of the graph`}
          >
            input
          </button>
        )}
        {refs.length === 0 && writes && (
          <button
            className="link"
            disabled={locked}
            onClick={() => void severalAt(session, node, port.name)}
            title={`let ${port.name} take several values in turn`}
          >
            several
          </button>
        )}
        {refs.length === 0 && value && (
          <button
            className="link"
            disabled={locked}
            onClick={() => session.edit((text) => edits.unsetPort(text, node, port.name))}
            title="back to the default"
          >
            reset
          </button>
        )}
      </span>
    </div>
  );
}
