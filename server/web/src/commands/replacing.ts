/** A node becomes one of another type, and keeps the wires and values that fit there. */

import { words } from "../canvas/flow";
import { baseOf, colourOf } from "../canvas/types";
import { typedOf } from "../canvas/typing";
import * as edits from "../core/edits";
import { closeness, type NodeType, typeOf } from "../core/fits";
import { type GraphNode, specOf, type Value } from "../core/graph";
import { search } from "../core/search";
import { parseType } from "../core/types";
import { refsIn, wiresIn } from "../core/wires";
import { written } from "../core/written";
import { type Choice, pick } from "../dialogs";
import type { Making, Session } from "../document/session";
import { page, say } from "../store";
import { chosen, graph } from "./selection";
import { portOf } from "./wiring";

interface Use {
  readonly node: string;
  readonly port: string;
  /** The output that is used; null is the first. */
  readonly from: string | null;
}
interface Plan {
  readonly type: NodeType;
  /** The new names of the inputs that stay. */
  readonly inputs: ReadonlyMap<string, string>;
  /** For each place where an output is used the one that is used from now on; undefined where none fits. */
  readonly uses: readonly (readonly [Use, string | null | undefined])[];
  readonly kept: number;
  /** The inputs that it needs and has nothing for. */
  readonly needs: readonly string[];
  /** Whether it gives the same, and is of the same field. */
  readonly like: number;
}

const usesOf = (name: string): Use[] =>
  wiresIn(graph())
    .filter(({ source, node }) => source.name === name && node !== name)
    .map(({ source, node, port }) => ({ node, port, from: source.port }));

/** What a node keeps as one of another type. */
function planOf(node: GraphNode, type: NodeType): Plan {
  const catalogue = page().catalogue!;
  const free = new Set(type.inputs.map((port) => port.name));
  const inputs = new Map<string, string>();
  const takes = (value: Value, port: NodeType["inputs"][number]): boolean =>
    refsIn(value).every((ref) => closeness(typeOf(typedOf(graph(), catalogue), ref), port, catalogue) > 0);
  const places = [...node.ports].toSorted(([a], [b]) => Number(free.has(b)) - Number(free.has(a)));
  for (const [name, value] of places) {
    const same = type.inputs.find((port) => port.name === name && free.has(name) && takes(value, port));
    const wired = refsIn(value).length > 0;
    // Numbers and words fit everywhere, and mean something else under another name.
    const other = (port: NodeType["inputs"][number]) => catalogue.ports.has(baseOf(port.type)) && takes(value, port);
    const found = same ?? (wired ? type.inputs.find((port) => free.has(port.name) && other(port)) : undefined);
    if (!found) continue;
    inputs.set(name, found.name);
    free.delete(found.name);
  }
  const uses = usesOf(node.name).map((use) => [use, outputFor(use, type)] as const);
  const kept = inputs.size + uses.filter(([, output]) => output !== undefined).length;
  const old = specOf(graph(), catalogue, node.name);
  const gives = ({ outputs }: NodeType) => baseOf(outputs[0]?.type ?? "");
  const like = old ? 2 * Number(gives(old) === gives(type)) + Number(old.category === type.category) : 0;
  const needs = type.inputs.filter((port) => port.required && free.has(port.name)).map((port) => port.name);
  return { type, inputs, uses, kept, needs, like };
}

/** The output of a type that can stand where one is used: of the same name, else the first that fits. */
function outputFor({ node, port, from }: Use, type: NodeType): string | null | undefined {
  const catalogue = page().catalogue!;
  const target = portOf(node, port);
  const fits = type.outputs.filter(
    (output) => !target || closeness(parseType(output.type, catalogue.ports), target, catalogue) > 0,
  );
  const found = fits.find((output) => output.name === from) ?? fits[0];
  return found && (found === type.outputs[0] ? null : found.name);
}

function edited(node: GraphNode, { type, inputs, uses }: Plan): Making[] {
  const moved = [...node.ports].filter(([port]) => inputs.get(port) !== port);
  const { name } = node;
  return [
    (text) => edits.setType(text, name, type.name),
    ...moved.map(([port]): Making => (text) => edits.unsetPort(text, name, port)),
    ...moved.flatMap(([port, value]): Making[] => {
      const to = inputs.get(port);
      return to ? [(text) => edits.setPort(text, name, to, written(value))] : [];
    }),
    ...uses.map(([use, output]): Making => (text) => {
      const source = { name, port: use.from };
      if (output === undefined) return edits.disconnect(text, source, use.node, use.port);
      return output === use.from ? [] : edits.rewire(text, source, { name, port: output }, use.node, use.port);
    }),
  ];
}

function keeping({ kept, needs }: Plan, whole: number): string {
  const keeps = kept === whole ? "keeps all its wires and values" : `keeps ${kept} of ${whole}`;
  return needs.length ? `${keeps}, needs ${needs.join(", ")}` : keeps;
}

/** Offer the types that the selected node may become, those first that keep most of its wires and values. */
export async function replacing(session: Session): Promise<void> {
  const node = graph().nodes.get(chosen());
  if (!node) return say("select a node to put another in its place");
  const catalogue = page().catalogue!;
  const whole = node.ports.size + usesOf(node.name).length;
  const offered = (query: string): (Choice & { plan: Plan })[] =>
    search(catalogue, query)
      .filter(({ type }) => type.name !== node.type)
      .map(({ type }) => planOf(node, type))
      .toSorted((a, b) => b.kept - a.kept || b.like - a.like || a.needs.length - b.needs.length)
      .map((plan) => ({
        key: plan.type.name,
        label: words(plan.type.name),
        detail: keeping(plan, whole),
        colour: colourOf(catalogue, plan.type.outputs[0]?.type ?? ""),
        plan,
      }));
  const choice = await pick(`in the place of ${node.name}`, offered);
  if (choice && session.edit(edited(node, choice.plan))) sayLost(node, choice.plan);
}

function sayLost(node: GraphNode, { inputs, uses }: Plan): void {
  const lost = [
    ...[...node.ports.keys()].filter((port) => !inputs.has(port)).map((port) => `${node.name}.${port}`),
    ...uses.filter(([, output]) => output === undefined).map(([use]) => `${use.node}.${use.port}`),
  ];
  if (lost.length) say(`taken off, for it does not fit: ${lost.join(", ")}`);
}
