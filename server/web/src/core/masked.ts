/** Which picture a mask is of. */

import type { Graph } from "./graph";
import { refsIn } from "./wires";

/** The input whose picture a mask is of: one that goes to the same node, else the first picture; empty where none is. */
export function pictureOf(graph: Graph, mask: string): string {
  const pictures = [...graph.inputs.values()].filter((input) => /\bImage\b/.test(input.type)).map(({ name }) => name);
  const fed = [...graph.nodes.values()].map((node) => [...node.ports.values()].flatMap(refsIn).map(({ name }) => name));
  const beside = fed.filter((names) => names.includes(mask)).flat();
  return beside.find((name) => pictures.includes(name)) ?? pictures[0] ?? "";
}
