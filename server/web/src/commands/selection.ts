/** What is done to what is selected. */

import { nameOf } from "../canvas/flow";
import { typeOfRef } from "../canvas/typing";
import { pinned, type Spot } from "../canvas/view";
import * as edits from "../core/edits";
import type { Graph } from "../core/graph";
import { refsIn } from "../core/wires";
import { askFor } from "../dialogs";
import type { Making, Session } from "../document/session";
import { page, usePage } from "../store";

export const graph = (): Graph => page().document!.read.graph;

export function select(id: string): void {
  usePage.setState({ selected: [id] });
}

/** The box that is selected, the first of several; empty where there is none. */
export const chosen = (): string => page().selected[0] ?? "";

/** Places of boxes, and of all others that have none in the text yet: those where they are. */
export function placed(places: ReadonlyMap<string, Spot>): Making[] {
  const all = places.size ? pinned(places) : places;
  return all.size ? [(text) => edits.moveAll(text, all)] : [];
}

/** A name that is not taken: `schedule`, `schedule_2` … */
export function freeName(base: string, also: ReadonlySet<string> = new Set()): string {
  const known = graph();
  const plain = base.replace(/[^A-Za-z0-9_]/g, "_").replace(/^(?=\d)/, "_") || "node";
  const stem = plain.replace(/_\d+$/, "");
  for (let n = 1; ; n++) {
    const name = n === 1 ? plain : `${stem}_${n}`;
    if (!known.nodes.has(name) && !known.inputs.has(name) && !also.has(name)) return name;
  }
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
    else if (id.startsWith("frame ")) makes.push((text) => edits.unsetFrame(text, nameOf(id)));
    else if (known.inputs.has(id)) makes.push(...healed(id), (text) => edits.removeInput(text, id));
    else if (known.nodes.has(id))
      makes.push(...(selected.length > 1 ? [] : healed(id)), (text) => edits.removeNode(text, id));
  }
  if (makes.length && session.edit(makes)) usePage.setState({ selected: [], wires: [] });
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

/** Give what is selected another name, in all that refers to it. */
export function rename(session: Session, id: string, to: string): boolean {
  const known = graph();
  if (id.startsWith("output ")) {
    const ref = known.outputs.get(nameOf(id))!;
    return session.edit([(text) => edits.setOutput(text, to, ref), (text) => edits.unsetOutput(text, nameOf(id))]);
  }
  const before = page().selected;
  const framed = id.startsWith("frame ");
  usePage.setState({ selected: [framed ? `frame ${to}` : to] });
  const done = session.edit((text) =>
    framed
      ? edits.renameFrame(text, nameOf(id), to)
      : known.inputs.has(id)
        ? edits.renameInput(text, id, to)
        : edits.renameNode(text, id, to),
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

/** Ask for another name of what is selected. */
export async function renaming(session: Session): Promise<void> {
  const id = chosen();
  const to = await askFor(`new name of ${nameOf(id)}`, nameOf(id));
  if (to) rename(session, id, to);
}
