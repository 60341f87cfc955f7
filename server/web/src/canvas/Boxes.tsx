/** The boxes of the canvas: nodes, and the inputs and outputs of the graph. */

import { Handle, type NodeProps, Position, useUpdateNodeInternals } from "@xyflow/react";
import { createContext, memo, useContext, useEffect, useRef } from "react";
import { type Diagnostic, fileAddress, isFile, isPicture } from "../api";
import { mend, showInText } from "../commands/text";
import { type End, type Graph, type GraphNode, specOf } from "../core/graph";
import type { Session } from "../document/session";
import { faultsOf } from "../judging";
import { lookAt } from "../panes/looking";
import { type Catalogue, close, page, type Progress, usePage, useRuns } from "../store";
import { type Box, hasPreview, isPictureOutput, noteHeight, outputsOf, words } from "./flow";
import { Scrub } from "./Scrub";
import { colourOf, type Cost, rowsOf, shapeOf, short, shown } from "./types";
import { typeOfRef } from "./typing";

/** What does not change with the text: then all boxes are drawn anew. */
export interface Shared {
  catalogue: Catalogue;
  costs: ReadonlyMap<string, Cost>;
  /** The shape of what an output gives, as the last check has it; empty where it is not known. */
  describe: (end: End) => string;
  /** The ports that a wire being drawn may not go to, with the reason: `node.port`, and `node:output` against its way. */
  misfits: ReadonlyMap<string, string> | null;
  session: Session;
}

export const SharedContext = createContext<Shared | null>(null);
const useShared = (): Shared => useContext(SharedContext)!;

/** The graph, when the node's own entry has changed; what a node of an unknown type gives, others tell by their wires. */
function useGraphOf(name: string): Graph {
  const { catalogue } = useShared();
  usePage(({ document }) => {
    const { graph } = document!.read;
    const node = graph.nodes.get(name);
    return node && catalogue.nodes.has(node.type) ? node : graph;
  });
  return page().document!.read.graph;
}

interface PortProps {
  id: string;
  side: "in" | "out";
  type: string;
  label: string;
  reason?: string | undefined;
  /** Whether wires may be drawn at it. */
  open?: boolean;
}

function Port({ id, side, type, label, reason, open = true }: PortProps) {
  const { catalogue } = useShared();
  return (
    <Handle
      id={id}
      type={side === "in" ? "target" : "source"}
      position={side === "in" ? Position.Left : Position.Right}
      isConnectable={open}
      className={`port ${shapeOf(catalogue, type)}${reason ? " misfit" : ""}`}
      style={{ background: colourOf(catalogue, type) }}
      title={reason || `${label}${type ? `: ${type}` : ""}`}
      role="img"
      aria-label={label}
    />
  );
}

function Row({ node, port }: { node: GraphNode; port: ReturnType<typeof rowsOf>[number] }) {
  const { misfits } = useShared();
  const value = node.ports.get(port.name);
  const swept = node.each.find((axis) => axis.names.includes(port.name));
  const missing = port.required && !value && !swept;
  const reason = misfits?.get(`${node.name}.${port.name}`);
  return (
    <div
      className={`row in${missing ? " missing" : ""}${reason ? " dim" : ""}`}
      title={missing ? `${port.name} is needed: wire it` : port.doc}
    >
      <Port id={port.name} side="in" type={port.type} label={`input ${port.name} of ${node.name}`} reason={reason} />
      <span>{port.name}</span>
      {value && value.kind !== "ref" && <span className="value">{shown(value)}</span>}
      {swept && <span className="value">each {shown(swept.values)}</span>}
    </div>
  );
}

const Mark: Readonly<Record<Progress["status"], string>> = {
  running: "runs",
  ran: "done",
  rebuilt: "done",
  cached: "kept",
  failed: "failed",
};

/** Whether the next run makes anew what is seen of a node: it, or something before it, was changed since the last one. */
function useDue(name: string): boolean {
  const runs = useShared().costs.get(name)?.runs;
  return useRuns(({ job, keys }) => job !== null && Boolean(runs?.some(([node, key]) => keys[node] !== key)));
}

function Status({ name }: { name: string }) {
  const due = useDue(name);
  const progress = useRuns((runs) => runs.nodes[name]);
  const { costs } = useShared();
  const cost = costs.get(name);
  const planned = cost && cost.state !== "live" && cost.state !== "skipped" ? cost : undefined;
  return (
    <div className="foot">
      <span title={cost ? `${cost.reason}; ${short(cost.memory)}B of memory` : ""}>
        {planned
          ? [planned.flops ? `${short(planned.flops)}FLOP` : "", planned.state === "kept" && !progress ? "kept" : ""]
              .filter(Boolean)
              .join(" · ")
          : ""}
      </span>
      {due && (
        <span className="mark due" title="it, or something before it, was changed since the last run">
          will run
        </span>
      )}
      {progress && !due && (
        <span className={`mark ${progress.status}`}>
          {Mark[progress.status]}
          {progress.status === "running" && progress.total > 0 ? ` ${progress.done}/${progress.total}` : ""}
          {progress.seconds !== null && !["cached", "running"].includes(progress.status)
            ? ` ${progress.seconds.toFixed(progress.seconds < 10 ? 1 : 0)} s`
            : ""}
        </span>
      )}
    </div>
  );
}

function Bar({ name }: { name: string }) {
  const running = useRuns((runs) => runs.nodes[name]?.status === "running");
  const share = useRuns((runs) =>
    runs.nodes[name]?.total ? (runs.nodes[name].done / runs.nodes[name].total) * 100 : 0,
  );
  if (!running) return null;
  return (
    <div className="bar" role="progressbar" aria-label={`progress of ${name}`} aria-valuenow={Math.round(share)}>
      <div style={{ width: `${share}%` }} />
    </div>
  );
}

/** The faults of a node, below it: two lines of the first one, and all of all where it is pointed at or has the focus: they cover its neighbours. */
function Faults({ name }: { name: string }) {
  const diagnostics = usePage((page) => page.judged.diagnostics);
  const failed = useRuns((runs) => (runs.nodes[name]?.status === "failed" ? runs.nodes[name].message : ""));
  const { session } = useShared();
  const mine = faultsOf(diagnostics, name);
  if (!mine.length && !failed) return null;
  return (
    <div className="faults nodrag nokey">
      {failed && <p className="error">{failed}</p>}
      {mine.map((fault, n) => (
        <p key={n} className={fault.severity}>
          {fault.message}
          {fault.hint && <small>{fault.hint}</small>}
          {fault.fix.length > 0 && (
            <button className="link" onClick={() => mend(session, fault)} title={fault.hint}>
              Mend
            </button>
          )}
        </p>
      ))}
      <button className="link" onClick={() => void showInText(session, name)}>
        Show in text
      </button>
    </div>
  );
}

const worst = (faults: readonly Diagnostic[], name: string) => {
  const mine = faultsOf(faults, name);
  return mine.some((fault) => fault.severity === "error") ? " error" : mine.length ? " warning" : "";
};

/** The canvas finds the ports of a box anew when they are others; by itself it does so where the size has changed. */
function usePorts(name: string, ports: string): void {
  const update = useUpdateNodeInternals();
  const known = useRef(ports);
  useEffect(() => {
    if (known.current !== ports) update(name);
    known.current = ports;
  }, [update, name, ports]);
}

export const NodeBox = memo(function NodeBox({ data, selected }: NodeProps<Box>) {
  const { catalogue } = useShared();
  const { name } = data;
  const graph = useGraphOf(name);
  const state = usePage((page) => worst(page.judged.diagnostics, name));
  const status = useRuns((runs) => runs.nodes[name]?.status ?? "");
  const closed = usePage((page) => page.closed.has(name));
  const due = useDue(name) ? " due" : "";
  const node = graph.nodes.get(name);
  const spec = specOf(graph, catalogue, name);
  const rows = rowsOf(graph, name, spec);
  const outputs = outputsOf(graph, catalogue, name);
  usePorts(name, [...rows, ...outputs].map((port) => port.name).join());
  if (!node) return null;
  return (
    <div className={`box node${selected ? " selected" : ""}${closed ? " closed" : ""}${state} ${status}${due}`}>
      <div className="head" title={spec?.doc}>
        <b>{name}</b>
        <small>{words(node.type)}</small>
      </div>
      <Bar name={name} />
      {node.note && !closed && (
        <p className="note" style={{ height: noteHeight(node.note) }} title={node.note}>
          {node.note}
        </p>
      )}
      {rows.map((port) => (
        <Row key={port.name} node={node} port={port} />
      ))}
      {outputs.map((output, n) => (
        <OutRow key={output.name} node={name} output={output} first={n === 0} />
      ))}
      {!closed && hasPreview(graph, catalogue, name) && <Scrub name={name} />}
      {!closed && <Status name={name} />}
      <Faults name={name} />
    </div>
  );
});

function OutRow({ node, output, first }: { node: string; output: { name: string; type: string }; first: boolean }) {
  const { describe, misfits } = useShared();
  const shape = describe({ name: node, port: first ? null : output.name });
  return (
    <div className="row out">
      <span className="value">{shape}</span>
      <span>{output.name === "output" ? "" : output.name}</span>
      <Port
        id={output.name}
        side="out"
        type={output.type}
        label={`output ${output.name} of ${node}`}
        reason={misfits?.get(`${node}:${output.name}`)}
      />
    </div>
  );
}

/** A frame behind its nodes; its title moves them all. */
export const FrameBox = memo(function FrameBox({ id, data, selected }: NodeProps<Box>) {
  return (
    <div className={`frame${selected ? " selected" : ""}`}>
      <div className="title">
        <b>{data.name}</b>
        <button className="link nodrag" onClick={() => close([id])} aria-label={`close frame ${data.name}`}>
          −
        </button>
      </div>
    </div>
  );
});

/** A closed frame: one box in the place of its nodes. */
export const ClosedFrame = memo(function ClosedFrame({ id, data, selected }: NodeProps<Box>) {
  const graph = usePage((page) => page.document!.read.graph);
  const members = graph.frames.get(data.name) ?? [];
  const state = usePage((page) => members.map((name) => worst(page.judged.diagnostics, name)).find(Boolean) ?? "");
  const status = useRuns((runs) => members.map((name) => runs.nodes[name]?.status).find((one) => one === "running"));
  return (
    <div className={`box closed${selected ? " selected" : ""}${state} ${status ?? ""}`}>
      <div className="head">
        <b>{data.name}</b>
        <small>
          {members.length} boxes{status ? ", runs" : ""}
        </small>
        <button className="link nodrag" onClick={() => close([id])} aria-label={`open frame ${data.name}`}>
          +
        </button>
      </div>
      <Port id="in" side="in" type="" label={`into frame ${data.name}`} open={false} />
      <Port id="out" side="out" type="" label={`out of frame ${data.name}`} open={false} />
    </div>
  );
});

export const InputBox = memo(function InputBox({ data, selected }: NodeProps<Box>) {
  const { misfits } = useShared();
  const state = usePage((page) => worst(page.judged.diagnostics, data.name));
  const input = usePage((page) => page.document!.read.graph.inputs.get(data.name));
  const value = usePage((page) => page.values[data.name]);
  if (!input) return null;
  const now = value ?? (input.default ? shown(input.default) : undefined);
  return (
    <div className={`box pill${selected ? " selected" : ""}${state}`} title={input.help}>
      <span className="value">{isFile(now) ? "picture" : now === undefined ? "" : String(now)}</span>
      <b>{data.name}</b>
      <Port
        id=""
        side="out"
        type={input.type}
        label={`graph input ${data.name}`}
        reason={misfits?.get(`${data.name}:`)}
      />
    </div>
  );
});

export const OutputBox = memo(function OutputBox({ data, selected }: NodeProps<Box>) {
  const { catalogue } = useShared();
  const graph = usePage((page) => page.document!.read.graph);
  const found = useRuns((runs) => runs.outputs[data.name]);
  const source = graph.outputs.get(data.name);
  const due = useDue(source?.name ?? "") ? " due" : "";
  if (!source) return null;
  return (
    <div className={`box output${selected ? " selected" : ""}${due}`}>
      <div className="row in">
        <Port
          id="value"
          side="in"
          type={typeOfRef(graph, catalogue, source.name, source.port)}
          label={`graph output ${data.name}`}
        />
        <b>{data.name}</b>
      </div>
      {isPictureOutput(graph, catalogue, source) && (
        <div className="picture">
          {found?.length ? (
            found.map((value, n) => <Result key={n} name={data.name} value={value} />)
          ) : (
            <span>run to see it</span>
          )}
        </div>
      )}
      {!isPictureOutput(graph, catalogue, source) && (
        <div className="value">
          {found?.map((value) => (isFile(value) ? value.name : JSON.stringify(value))).join(", ")}
        </div>
      )}
    </div>
  );
});

function Result({ name, value }: { name: string; value: unknown }) {
  if (isPicture(value)) {
    const enlarge = () => {
      const { job, outputs } = useRuns.getState();
      if (job) lookAt(job, outputs, value.file);
    };
    return (
      <button className="nodrag nokey" title="enlarge" onClick={enlarge}>
        <img src={fileAddress(value.file)} alt={`output ${name}`} draggable={false} />
      </button>
    );
  }
  if (isFile(value)) return <a href={fileAddress(value.file)}>{value.name}</a>;
  return <span>{JSON.stringify(value)}</span>;
}
