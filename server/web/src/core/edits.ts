/** Edits of a graph's text: each changes the characters of its own entry, and nothing else of the file.
 *
 * Every function takes the text and gives the changes, all of which mean the text before. Values are as the file says them
 * (`written`). Each throws Refused, with the reason, where the edit cannot be made. Several edits in a row are composed by
 * the document that applies them. */

import { type End, INPUT_KEYS, meant, namesOf, NODE_KEYS } from "./graph";
import { isNothing, leaves, withValue } from "./meaning";
import { entriesOf, keyed, refuseNoName, refuseTaken, refuseUnknown, renamed, reworded, unframed } from "./naming";
import { assigned, type Document, type Edits, gone, lineOf, opened, planted, Refused, settled, without } from "./settling";
import { type Entry, find, type Items, type Leaf } from "./tree";
import { refText, treeOf, type Written } from "./written";

export { type Edits, Refused } from "./settling";

const PLACED = ["nodes", "inputs", "outputs"];
const EMPTY = treeOf([]) as Items;
const SOURCES = ["nodes", "inputs"];
/** The parts of a node besides its type. */
export interface NodeParts {
  readonly ports?: ReadonlyMap<string, Written>;
  readonly note?: string;
  readonly each?: ReadonlyMap<string, Written>;
}

function withNode(text: string, name: string): Document {
  const document = opened(text);
  refuseUnknown(document, ["nodes"], name, "node");
  const entry = find(document.tree, ["nodes", name]);
  if (entry && entry.value.kind !== "table" && !entry.value.marked) {
    throw new Refused(`${lineOf(text, entry)}: node '${name}' is no mapping; write: ${name}: {type: …}`);
  }
  return document;
}

function withInput(text: string, name: string): Document {
  const document = opened(text);
  refuseUnknown(document, ["inputs"], name, "input");
  return document;
}

function refuseNoPort(port: string): void {
  if (NODE_KEYS.includes(port)) throw new Refused(`'${port}' is no input of a node`);
}

function refuseNoFact(fact: string): void {
  if (!INPUT_KEYS.includes(fact)) throw new Refused(`an input has no '${fact}'`);
}

/** Writes a value, or a list of values, on an input of a node. */
export function setPort(text: string, node: string, port: string, value: Written): Edits {
  refuseNoPort(port);
  return assigned(withNode(text, node), [["nodes", node, port], value]);
}

/** Takes away what is written on an input of a node. */
export function unsetPort(text: string, node: string, port: string): Edits {
  refuseNoPort(port);
  return gone(withNode(text, node), ["nodes", node, port], `input of '${node}'`);
}

/** The entry of `each` in which an input of a node takes its values in turn. */
function axisOf({ tree }: Document, node: string, port: string): Entry | null {
  const each = find(tree, ["nodes", node, "each"])?.value;
  return (each?.kind === "table" && each.entries.find(({ key }) => namesOf(key).includes(port))) || null;
}

/** Wires a source to an input of a node, instead of what stands there; to one that takes values in turn, as those values. */
export function connect(text: string, source: End, node: string, port: string): Edits {
  refuseUnknown(opened(text), SOURCES, source.name, "node or input");
  const axis = axisOf(opened(text), node, port);
  const ref = refText(source);
  if (!axis) return setPort(text, node, port, ref);
  if (axis.key === port) return setEach(text, node, port, ref);
  throw new Refused(`'${port}' of '${node}' takes its values in turn together with others: ${axis.key}`);
}

/** Wires a source to an input that takes several, beside what stands there. */
export function connectToo(text: string, source: End, node: string, port: string): Edits {
  const document = withNode(text, node);
  const path = ["nodes", node, port];
  const old = find(document.tree, path)?.value;
  if (!old || isNothing(old) || axisOf(document, node, port)) return connect(text, source, node, port);
  refuseNoPort(port);
  refuseUnknown(document, SOURCES, source.name, "node or input");
  const list = old.kind === "items" ? old : { ...EMPTY, values: [old] };
  return planted(document, [path, { ...list, values: [...list.values, treeOf(refText(source))] }]);
}

/** Lets a wire of an input come from another source; of a list, only the item that is that wire. */
export function rewire(text: string, from: End, to: End, node: string, port: string): Edits {
  const document = withNode(text, node);
  refuseUnknown(document, SOURCES, to.name, "node or input");
  const was = refText(from);
  const axis = axisOf(document, node, port)?.key ?? "";
  const places = [[port], ["each", axis]].map((rest) => ["nodes", node, ...rest]);
  const there = places.filter((path) => find(document.tree, path));
  const other = (leaf: Leaf): Leaf => (leaf.value === was ? { ...leaf, value: refText(to) } : leaf);
  const [making] = reworded(document, there, other);
  if (!making) throw new Refused(`nothing on '${port}' of '${node}' comes from '${was}'`);
  return settled(document, making);
}

/** Takes a wire off an input; off a list, only the item that is that wire. */
export function disconnect(text: string, source: End, node: string, port: string): Edits {
  const document = withNode(text, node);
  const ref = refText(source);
  const list = find(document.tree, ["nodes", node, port])?.value;
  const axis = axisOf(document, node, port);
  if (axis?.value.kind === "leaf" && axis.value.value === ref) return unsetEach(text, node, axis.key);
  if (list?.kind === "leaf" && list.value === ref) return unsetPort(text, node, port);
  const at = list?.kind === "items" ? list.values.findIndex((item) => item.kind === "leaf" && item.value === ref) : -1;
  if (list?.kind !== "items" || at < 0) throw new Refused(`nothing on '${port}' of '${node}' comes from '${ref}'`);
  if (list.values.length === 1) return unsetPort(text, node, port);
  return planted(document, [["nodes", node, port], { ...list, values: list.values.toSpliced(at, 1) }]);
}

/** Writes the values that an input of a node, or several together (`a+b`), take in turn. */
export function setEach(text: string, node: string, names: string, values: Written): Edits {
  return assigned(withNode(text, node), [["nodes", node, "each", names], values]);
}

/** Takes away what an input of a node takes in turn; the whole of it where only that is there. */
export function unsetEach(text: string, node: string, names: string): Edits {
  const document = withNode(text, node);
  const axes = find(document.tree, ["nodes", node, "each"])?.value;
  const alone = axes?.kind === "table" && axes.entries.length === 1 && axes.entries[0]?.key === names;
  return gone(document, ["nodes", node, "each", ...(alone ? [] : [names])], `each of '${node}'`);
}

/** Makes a node one of another type; what stands on its inputs stays. */
export function setType(text: string, node: string, type: string): Edits {
  return assigned(withNode(text, node), [["nodes", node, "type"], type]);
}

/** Writes the note of a node; takes it away where it is empty. */
export function setNote(text: string, node: string, note: string): Edits {
  const document = withNode(text, node);
  if (note) return assigned(document, [["nodes", node, "note"], note]);
  return gone(document, ["nodes", node, "note"], `key of '${node}'`);
}

/** Adds a node behind the last one. */
export function addNode(text: string, name: string, type: string, parts: NodeParts = {}): Edits {
  const document = opened(text);
  refuseTaken(document, name);
  for (const port of parts.ports?.keys() ?? []) refuseNoPort(port);
  const rows: [string, Written][] = [["type", type], ...(parts.ports ?? [])];
  if (parts.note) rows.push(["note", parts.note]);
  if (parts.each?.size) rows.push(["each", parts.each]);
  return assigned(document, [["nodes", name], new Map(rows)]);
}

/** Takes a node away, with its place and out of its frames. What refers to it stays. */
export function removeNode(text: string, name: string): Edits {
  const document = withNode(text, name);
  return settled(document, without(["nodes", name]), without(["layout", name]), ...unframed(document, name));
}

/** Gives a node another name, in all that refers to it too. */
export function renameNode(text: string, name: string, to: string): Edits {
  return renamed(withNode(text, name), "nodes", name, to);
}

/** Keeps the places of nodes, inputs and outputs on the canvas. */
export function moveAll(text: string, places: ReadonlyMap<string, readonly [number, number]>): Edits {
  const document = opened(text);
  for (const name of places.keys()) refuseUnknown(document, PLACED, name, "node");
  return assigned(document, ...[...places].map(([name, place]) => [["layout", name], [...place]] as const));
}

/** Forgets the place of a node. */
export function unplace(text: string, name: string): Edits {
  return gone(opened(text), ["layout", name], "place of");
}

/** Declares an input of a type, behind the last one. */
export function addInput(
  text: string,
  name: string,
  type: string,
  facts: ReadonlyMap<string, Written> = new Map(),
): Edits {
  const document = opened(text);
  refuseTaken(document, name);
  [...facts.keys()].forEach(refuseNoFact);
  return assigned(document, [["inputs", name], new Map<string, Written>([["type", type], ...facts])]);
}

/** Makes an input of a node one of the graph: what stands there becomes the default, unless `facts` say another. */
export function exposePort(
  text: string,
  node: string,
  port: string,
  name: string,
  type: string,
  facts: ReadonlyMap<string, Written> = new Map(),
): Edits {
  const document = withNode(text, node);
  refuseNoPort(port);
  refuseTaken(document, name);
  [...facts.keys()].forEach(refuseNoFact);
  const old = find(document.tree, ["nodes", node, port])?.value;
  const rows = treeOf(new Map<string, Written>([["type", type], ...facts]));
  const keep = old && !facts.has("default") && !leaves(old).some((leaf) => meant(leaf.value).kind === "ref");
  const input = keep ? withValue(rows, ["default"], old) : rows;
  return planted(document, [["inputs", name], input], [["nodes", node, port], treeOf(`$${name}`)]);
}

/** Takes an input away, out of the presets and sweeps too. What refers to it stays. */
export function removeInput(text: string, name: string): Edits {
  const document = withInput(text, name);
  const presets = entriesOf(document, "presets").map((path) => [...path, name]);
  const sweeps = entriesOf(document, "sweeps").map((path) => [...path, "each", name]);
  return settled(document, ...[["inputs", name], ...presets, ...sweeps, ["layout", name]].map(without));
}

/** Gives an input another name, in all that refers to it, the presets and the sweeps too. */
export function renameInput(text: string, name: string, to: string): Edits {
  return renamed(withInput(text, name), "inputs", name, to);
}

/** Lets an output come from a source. */
export function setOutput(text: string, name: string, source: End): Edits {
  refuseNoName(name);
  return assigned(opened(text), [["outputs", name], refText(source)]);
}

/** Takes an output away. */
export function unsetOutput(text: string, name: string): Edits {
  return gone(opened(text), ["outputs", name], "output");
}

/** Draws a frame with a title around nodes. */
export function setFrame(text: string, title: string, nodes: readonly string[]): Edits {
  const document = opened(text);
  for (const name of nodes) refuseUnknown(document, SOURCES, name, "node");
  return assigned(document, [["frames", title], [...nodes]]);
}

/** Gives a frame another title. */
export function renameFrame(text: string, title: string, to: string): Edits {
  const document = opened(text);
  if (!find(document.tree, ["frames", title])) throw new Refused(`there is no frame '${title}'`);
  if (title === to) return [];
  if (find(document.tree, ["frames", to])) throw new Refused(`there is a frame '${to}' already; choose another title`);
  return settled(document, keyed(["frames", title], to));
}

/** Takes a frame away; its nodes stay. */
export function unsetFrame(text: string, title: string): Edits {
  return gone(opened(text), ["frames", title], "frame");
}
