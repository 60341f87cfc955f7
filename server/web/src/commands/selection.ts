/** What is done to what is selected. */

import { nameOf, outputId } from "../canvas/flow";
import { typeOfRef } from "../canvas/typing";
import { pinned, type Spot } from "../canvas/view";
import * as edits from "../core/edits";
import type { End, Graph, Ref } from "../core/graph";
import { refsIn, wiresIn } from "../core/wires";
import { askFor } from "../dialogs";
import type { Making, Session } from "../document/session";
import { page, say, usePage } from "../store";

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
  for (const id of selected) makes.push(...(selected.length > 1 ? cut(id, selected) : healed(id)));
  for (const id of selected) {
    if (id.startsWith("output ")) makes.push((text) => edits.unsetOutput(text, nameOf(id)));
    else if (id.startsWith("frame ")) makes.push((text) => edits.unsetFrame(text, nameOf(id)));
    else if (known.inputs.has(id)) makes.push((text) => edits.removeInput(text, id));
    else if (known.nodes.has(id)) makes.push((text) => edits.removeNode(text, id));
  }
  if (makes.length && session.edit(makes)) usePage.setState({ selected: [], wires: [] });
}

/** The wires from a box that goes; what fed it goes on in its place where the types are the same. */
function healed(name: string): Making[] {
  const type = (end: End) => typeOfRef(graph(), page().catalogue!, end.name, end.port).replace(/\[.*/, "");
  const feeds = [...(graph().nodes.get(name)?.ports.values() ?? [])].flatMap(refsIn);
  return cut(name, [name], (ref) => feeds.find((feed) => type(ref) && type(feed) === type(ref)));
}

/** The wires from a box to those that stay: taken off, or led from another end in its place. */
function cut(name: string, going: readonly string[], other: (ref: Ref) => End | undefined = () => undefined): Making[] {
  const { nodes, outputs } = graph();
  const stays = wiresIn(graph()).filter(
    ({ source, node, axis }) => source.name === name && !axis && !going.includes(node),
  );
  const named = [...outputs].filter(([output, ref]) => ref.name === name && !going.includes(outputId(output)));
  return [
    ...stays.map(({ source, node, port }): Making => {
      const to = nodes.get(node)?.ports.get(port)?.kind === "ref" ? other(source) : undefined;
      return (text) => (to ? edits.connect(text, to, node, port) : edits.disconnect(text, source, node, port));
    }),
    ...named.map(([output, ref]): Making => {
      const to = other(ref);
      return (text) => (to ? edits.setOutput(text, output, to) : edits.unsetOutput(text, output));
    }),
  ];
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

/** Put the selected boxes into a line: below each other where they stand so, else beside each other. */
export function align(session: Session): void {
  const at = [...pinned(new Map(graph().layout))].filter(([name]) => page().selected.some((id) => nameOf(id) === name));
  const reach = (axis: 0 | 1) => Math.max(...at.map(([, spot]) => spot[axis])) - Math.min(...at.map(([, spot]) => spot[axis]));
  const axis = reach(0) < reach(1) ? 0 : 1;
  const line = Math.min(...at.map(([, spot]) => spot[axis]));
  const places = at.map(([name, [x, y]]): [string, Spot] => [name, axis ? [x, line] : [line, y]]);
  if (at.length > 1) session.edit(placed(new Map(places)));
  else say("select the boxes that are to stand in a line");
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
  if (!id) return say("select what is to have another name");
  const to = await askFor(`new name of ${nameOf(id)}`, nameOf(id));
  if (to) rename(session, id, to);
}
