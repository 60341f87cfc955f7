/** A small library of node types, in the form of the server's catalogue. */

import type { Library, NodeType, Port } from "../fits";
import type { Graph } from "../graph";
import { waits, wayFrom } from "../wires";

function port(text: string): Port {
  const [name = "", rest = ""] = text.split(": ");
  const type = rest.replace("?", "");
  return { name, type, required: !rest.endsWith("?"), fan_in: type.startsWith("list[") };
}

function node(
  name: string,
  category: string,
  doc: string,
  inputs: string[],
  outputs: string[],
  words: string[] = [],
): NodeType {
  return { name, category, doc, words, inputs: inputs.map(port), outputs: outputs.map(port) };
}

const NODES = [
  node(
    "text_encoder",
    "text",
    "Encodes a prompt.",
    ["model: UNet", "text: Text | list[Text]"],
    ["output: Condition"],
    ["prompt", "caption"],
  ),
  node(
    "unet_denoiser",
    "denoisers",
    "Denoises by a network.",
    ["model: UNet", "conditions: list[Condition]?"],
    ["output: Denoiser[Image]"],
  ),
  node(
    "classifier_free_guidance",
    "guidance",
    "Guides without a classifier.",
    ["cond: Denoiser[X]", "uncond: Denoiser[X]", "scale: float?"],
    ["output: Denoiser[X]"],
  ),
  node(
    "sampler",
    "samplers",
    "Draws a picture, step by step.",
    ["denoiser: Denoiser[X]", "seed: Seed?", "steps: int?"],
    ["sample: X", "trace: list[X]"],
  ),
  node("point_denoiser", "denoisers", "Denoises points.", [], ["output: Denoiser[Signal]"]),
  node("grid", "pictures", "One picture of several.", ["images: list[Image]"], ["image: Image"]),
  node("first", "lists", "The first of a list.", ["items: list[X]"], ["item: X"]),
  node("same", "lists", "Gives what it takes.", ["value: *"], ["value: *"]),
  node("picture_open", "pictures", "Reads a picture from a file.", ["file: PictureFile"], ["image: Image"]),
];
const PORTS = ["UNet", "Text", "Condition", "Denoiser", "Image", "Signal", "Seed", "PictureFile", "Bundle"];

export const LIBRARY: Library = {
  nodes: new Map(NODES.map((type) => [type.name, type])),
  ports: new Map(PORTS.map((name) => [name, name])),
  widenings: [["int", "float"]],
};

/** A circle in the graph, by names in the order of its wires, the first again at the end; null where there is none. */
export function circle(graph: Graph): string[] | null {
  const before = waits(graph);
  for (const [name, others] of before) {
    for (const other of others) {
      const way = wayFrom(before, other, name);
      if (way) return [...way, name];
    }
  }
  return null;
}
