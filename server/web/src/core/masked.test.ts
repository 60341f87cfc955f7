import { expect, test } from "vitest";
import { readGraph } from "./graph";
import { SHIPPED } from "./testing/shipped";
import { pictureOf } from "./masked";

const graphOf = (text: string) => readGraph(text).graph!;

test("a mask is of the picture that goes to the same node", () => {
  const text = `graph: 1
inputs: {style: {type: Image}, photo: {type: Image}, where: {type: Mask}}
nodes:
  other: {type: resize, image: $style}
  kept: {type: mask_inpainter, image: $photo, mask: $where}
outputs: {}
`;
  expect(pictureOf(graphOf(text), "where")).toBe("photo");
  expect(pictureOf(graphOf(text.replace("mask: $where", "")), "where")).toBe("style");
  expect(pictureOf(graphOf("graph: 1\ninputs: {where: {type: Mask}}\nnodes: {}\noutputs: {}\n"), "where")).toBe("");
});

test("every shipped graph that takes a mask has a picture to paint over", () => {
  const masked = SHIPPED.map(([name, text]) => [name, graphOf(text)] as const).filter(([, graph]) =>
    [...graph.inputs.values()].some((input) => input.type === "Mask"),
  );
  expect(masked.map(([name]) => name)).toContain("glide/inpaint.yaml");
  for (const [name, graph] of masked) expect(pictureOf(graph, "mask"), name).toMatch(/image|known/);
});
