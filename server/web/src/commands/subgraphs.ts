/** Graphs in graphs: nodes put into a file of their own, and those of one put in its place. */

import { ask, encoded } from "../api";
import { typedOf } from "../canvas/typing";
import * as edits from "../core/edits";
import { typeOf } from "../core/fits";
import { type End, type Graph, type GraphNode, readGraph, type Ref, type Value } from "../core/graph";
import { pieceOf } from "../core/pieces";
import { applied } from "../core/text";
import { typeText } from "../core/types";
import { wayFrom, wiresIn } from "../core/wires";
import { refText, type Written, written } from "../core/written";
import { askFor } from "../dialogs";
import { fileOf, type Making, type Session } from "../document/session";
import { page, say, usePage } from "../store";
import { innerPath } from "./finding";
import { freshNames } from "./gestures";
import { chosen, freeName, graph, placed, select } from "./selection";

/** An end under the name that it has from now on. */
type Named = readonly [end: End, name: string];

/** Ends, each once, under names that are free among each other. */
function named(ends: readonly End[], nameOf: (end: End) => string, taken: ReadonlySet<string>): Named[] {
  const once = [...new Map(ends.map((end) => [refText(end), end])).values()];
  const names = new Set(taken);
  return once.map((end) => {
    let name = nameOf(end);
    while (names.has(name)) name += "_";
    names.add(name);
    return [end, name];
  });
}

const nameIn = (all: readonly Named[], end: End): string => all.find(([one]) => refText(one) === refText(end))![1];

/** Of an input of the graph with parts the whole: its parts are named inside as they were outside. */
const whole = (end: End): End => (graph().inputs.has(end.name) ? { name: end.name, port: null } : end);

/** Nodes that become a graph of their own: the wires and outputs that leave them, and what enters and leaves by which name. */
function partOf(inside: ReadonlySet<string>) {
  const wires = wiresIn(graph()).filter(({ source, node }) => inside.has(node) !== inside.has(source.name));
  const into = wires.filter(({ node }) => inside.has(node));
  const out = wires.filter(({ node }) => !inside.has(node));
  const ends = [...graph().outputs].filter(([, ref]) => inside.has(ref.name));
  const leaving = [...out.map(({ source }) => source), ...ends.map(([, ref]) => ref)];
  const inputs = named(into.map(({ source }) => whole(source)), ({ name, port }) => (port ? `${name}_${port}` : name), inside);
  return { inside, into, out, ends, inputs, outputs: named(leaving, ({ name, port }) => port ?? name, new Set()) };
}
type Part = ReturnType<typeof partOf>;

const typeIn = (end: End): string =>
  graph().inputs.get(end.name)?.type ?? typeText(typeOf(typedOf(graph(), page().catalogue!), end));

/** Why nodes can be no graph of their own; empty where they can. */
function hindrance({ inside, out, ends, inputs }: Part): string {
  const { before } = typedOf(graph(), page().catalogue!);
  const between = out.find(({ node }) => [...inside].some((name) => wayFrom(before, name, node)));
  if (between) return `${between.node} stands between them: select it too`;
  if (!out.length && !ends.length) return "nothing uses what they give: wire that first";
  const unknown = inputs.find(([end]) => typeIn(end).includes("?"));
  return unknown ? `what type ${refText(unknown[0])} has is not known` : "";
}

/** The text of the graph that nodes become. */
function textOf({ inside, into, inputs, outputs }: Part): string {
  const facts = ({ name }: End) => {
    const given = graph().inputs.get(name)?.default;
    return new Map<string, Written>(given ? [["default", written(given)]] : []);
  };
  const makes: Making[] = [
    ...inputs.map(([end, name]): Making => (text) => edits.addInput(text, name, typeIn(end), facts(end))),
    ...into.flatMap(({ source, node, port }): Making[] => {
      const to = { name: nameIn(inputs, whole(source)), port: null };
      return whole(source) === source ? [(text) => edits.rewire(text, source, to, node, port)] : [];
    }),
    ...outputs.map(([end, name]): Making => (text) => edits.setOutput(text, name, end)),
  ];
  const piece = `graph: 1\n${pieceOf(page().document!.text, [...inside])}outputs: {}\n`;
  return makes.reduce((text, make) => applied(text, make(text)), piece);
}

/** The edits that put a node that uses a file in the place of nodes. */
function replacing({ inside, out, ends, inputs, outputs }: Part, node: string, type: string): Making[] {
  const ports = new Map(inputs.map(([end, name]) => [name, refText(end)]));
  const given = (end: End): End => ({ name: node, port: nameIn(outputs, end) });
  const spot = [...graph().layout].find(([name]) => inside.has(name))?.[1];
  return [
    (text) => edits.addNode(text, node, type, { ports }),
    ...out.map(({ source, node: user, port }): Making => (text) => edits.rewire(text, source, given(source), user, port)),
    ...ends.map(([output, ref]): Making => (text) => edits.setOutput(text, output, given(ref))),
    ...[...inside].map((name): Making => (text) => edits.removeNode(text, name)),
    ...(spot ? placed(new Map([[node, spot]])) : []),
  ];
}

/** Put the selected nodes into a file of their own, which one node uses in their place. */
export async function gathering(session: Session): Promise<void> {
  const { path, shipped } = page().document!;
  const part = partOf(new Set(page().selected.filter((id) => graph().nodes.has(id))));
  const reason = hindrance(part);
  if (reason) return say(reason);
  const asked = await askFor("name of the graph that they become", freeName("part"));
  if (!asked) return;
  const name = asked.replace(/\.yaml$/, "");
  const to = [...(shipped ? [] : path.split("/").slice(0, -1)), `${name}.yaml`].join("/");
  try {
    await ask("PUT", `graphs/${encoded(to)}`, { text: textOf(part) }, { "if-none-match": "*" });
  } catch (problem) {
    return say((problem as Error).message);
  }
  const node = freeName(name.split("/").at(-1)!);
  if (session.edit(replacing(part, node, `./${name}.yaml`))) select(node);
}

/** What a reference inside a graph means where a node uses it: a node under its new name, or what the input is given; null for nothing. */
function meaning(node: GraphNode, inner: Graph, names: ReadonlyMap<string, string>, ref: Ref): Value | null {
  const input = inner.inputs.get(ref.name);
  if (!input) return { ...ref, name: names.get(ref.name) ?? ref.name };
  const value = node.ports.get(ref.name) ?? input.default;
  if (!ref.port || !value) return value;
  if (value.kind === "ref" && !value.port) return { ...value, port: ref.port };
  throw new edits.Refused(`${refText(ref)} of ${node.type} is a part of a value, which no node can take: it stays a graph`);
}

/** A value inside as it is written outside; none where nothing is given. */
function outside(value: Value, of: (ref: Ref) => Value | null): Written[] {
  if (value.kind === "list") {
    // An empty list that an item was given, or a longer one: its items.
    const items = value.items.map((item) => [item, outside(item, of)] as const);
    return [items.flatMap(([item, now]) => (item.kind === "ref" && Array.isArray(now[0]) ? (now[0] as Written[]) : now))];
  }
  const now = value.kind === "ref" ? of(value) : value;
  return now ? [written(now)] : [];
}

/** The edits that put the nodes of a graph in the place of the node that uses it. */
function unfolded(node: GraphNode, inner: Graph, names: ReadonlyMap<string, string>): Making[] {
  const of = (ref: Ref) => meaning(node, inner, names, ref);
  const rows = (all: readonly (readonly [string, Value])[]) =>
    new Map(all.flatMap(([key, value]) => outside(value, of).map((now) => [key, now] as const)));
  const folder = node.type.replace(/[^/]*$/, "");
  const added = ({ name, type, note, ports, each }: GraphNode): Making => (text) => {
    if (type.startsWith("$")) throw new edits.Refused(`the type of ${name} comes from a value: it stays a graph`);
    const axes = each.map(({ names, values }) => [names.join("+"), values] as const);
    const at = type.endsWith(".yaml") ? folder + type.replace(/^\.\//, "") : type;
    return edits.addNode(text, names.get(name)!, at, { note, ports: rows([...ports]), each: rows(axes) });
  };
  const from = ({ port }: End): End => {
    const ref = port ? inner.outputs.get(port) : [...inner.outputs.values()][0];
    const now = ref && of(ref);
    if (now?.kind === "ref") return now;
    throw new edits.Refused(`what ${node.name} gives is no wire: it stays a graph`);
  };
  const uses = wiresIn(graph()).filter(({ source }) => source.name === node.name);
  const ends = [...graph().outputs].filter(([, ref]) => ref.name === node.name);
  return [
    ...[...inner.nodes.values()].map(added),
    ...uses.map(({ source, node: user, port }): Making => (text) => edits.rewire(text, source, from(source), user, port)),
    ...ends.map(([name, ref]): Making => (text) => edits.setOutput(text, name, from(ref))),
    (text) => edits.removeNode(text, node.name),
  ];
}

/** Put the nodes of the graph that the selected node is made of in its place. */
export async function spreading(session: Session): Promise<void> {
  const node = graph().nodes.get(chosen())!;
  const inner = readGraph((await fileOf(innerPath()))?.text ?? "").graph;
  if (!inner) return say(`${node.type} cannot be read`);
  if (node.each.length) return say(`${node.name} is there once for each of its values: it stays a graph`);
  const names = freshNames([...inner.nodes.keys()]);
  if (session.edit(unfolded(node, inner, names))) usePage.setState({ selected: [...names.values()] });
}
