import { expect, test } from "vitest";
import { closeness, misfit, type Port, typed, typeOf, wantedBy } from "./fits";
import { readGraph } from "./graph";
import { search, type Wish } from "./search";
import { circle, LIBRARY } from "./testing/library";
import { parseType, typeText } from "./types";
import { inOrder } from "./wires";

const TEXT = `graph: 1
inputs: {models: {type: Bundle}, prompt: {type: Text}, many: {type: "list[Text]"}, count: {type: int}, ratio: {type: float}}
nodes:
  drawn:   {type: sampler, denoiser: $guided}
  guided:  {type: classifier_free_guidance, cond: $denoise}
  denoise: {type: unet_denoiser, model: $models.base, conditions: [$text, $swept]}
  text:    {type: text_encoder, model: $models.base, text: $prompt}
  swept:   {type: text_encoder, model: $models.base, each: {text: $many}}
  points:  {type: point_denoiser}
  other:   {type: ./other.yaml, image: $drawn}
  grid:    {type: grid}
outputs: {image: $drawn}
`;

function typedText(text: string): ReturnType<typeof typed> {
  const { graph } = readGraph(text);
  if (!graph) throw new Error("no graph");
  return typed(graph, LIBRARY);
}

const ALL = typedText(TEXT);

test.each([
  ["prompt", null, "Text"],
  ["models", "base", "?"],
  ["text", null, "Condition"],
  ["swept", null, "list[Condition]"],
  ["denoise", "output", "Denoiser[Image]"],
  ["guided", null, "Denoiser[Image]"],
  ["drawn", null, "Image"],
  ["drawn", "trace", "list[Image]"],
  ["other", null, "?"],
  ["nowhere", null, "?"],
])("what $%s.%s gives", (name, port, type) => {
  expect(typeText(typeOf(ALL, { name, port }))).toBe(type);
});

test.each([
  ["guided", "cond", "Denoiser[X]"],
  ["guided", "uncond", "Denoiser[Image]"],
  ["guided", "scale", "float"],
  ["other", "image", "?"],
])("what %s.%s wants", (name, port, type) => {
  expect(typeText(wantedBy(ALL, name, port))).toBe(type);
});

test.each<[string, string | null, string, string, string]>([
  ["prompt", null, "text", "text", ""],
  ["many", null, "text", "text", ""],
  ["models", "clip", "text", "model", ""],
  ["denoise", null, "guided", "uncond", ""],
  ["points", null, "guided", "cond", ""],
  ["points", null, "guided", "uncond", "'uncond' wants Denoiser[Image], and $points gives Denoiser[Signal]"],
  ["text", null, "guided", "cond", "'cond' wants Denoiser[X], and $text gives Condition"],
  ["count", null, "guided", "scale", ""],
  ["ratio", null, "drawn", "steps", "'steps' wants int, and $ratio gives float"],
  ["drawn", null, "grid", "images", ""],
  ["drawn", "trace", "grid", "images", ""],
  ["text", null, "grid", "images", "'images' wants list[Image], and $text gives Condition"],
  ["drawn", "trace", "text", "text", "a circle: text → denoise → guided → drawn → text"],
  ["guided", null, "guided", "uncond", "a circle: guided → guided"],
  ["many", null, "swept", "text", ""],
  ["models", "texts", "swept", "text", ""],
  ["prompt", null, "swept", "text", "'text' takes its values in turn: it wants a list, and $prompt gives Text"],
  ["drawn", "trace", "swept", "model", "a circle: swept → denoise → guided → drawn → swept"],
  ["prompt", null, "grid", "picture", "'grid' has no input 'picture'"],
  ["prompt", null, "other", "anything", ""],
  ["prompt", null, "nowhere", "a", "there is no node 'nowhere'"],
])("$%s.%s to %s.%s: %s", (name, port, node, to, said) => {
  expect(misfit(ALL, { name, port }, node, to)).toBe(said);
});

test("circles are found, and nodes come behind what they wait for", () => {
  const { graph } = typedText(
    "nodes: {a: {type: x, p: $b}, b: {type: x, p: [$c]}, c: {type: x, each: {q: $a}}, d: {type: x, p: $a}}",
  );
  expect(circle(graph)).toEqual(["a", "c", "b", "a"]);
  expect(inOrder(graph).length).toBe(4);
  expect(circle(ALL.graph)).toBeNull();
  const order = inOrder(ALL.graph).map((node) => node.name);
  expect(order.indexOf("text")).toBeLessThan(order.indexOf("denoise"));
  expect(order.indexOf("guided")).toBeLessThan(order.indexOf("drawn"));
});

test("how well a type fits", () => {
  const close = (source: string, type: string): number =>
    closeness(
      parseType(source, LIBRARY.ports),
      { name: "p", type, required: true, fan_in: type.startsWith("list") } as Port,
      LIBRARY,
    );
  expect([close("int", "int"), close("int", "float"), close("int", "X"), close("int", "Text")]).toEqual([3, 2, 1, 0]);
  expect([
    close("Image", "list[Image]"),
    close("list[Image]", "list[Image]"),
    close("Text", "Text | list[Text]"),
  ]).toEqual([3, 3, 3]);
});

function found(query: string, wish: Wish | null = null): string[] {
  return search(LIBRARY, query, wish).map(({ type, port }) => (port === null ? type.name : `${type.name}.${port}`));
}

const gives = (type: string): Wish => ({ gives: parseType(type, LIBRARY.ports) });
const takes = (node: string, port: string): Wish => {
  const takes = LIBRARY.nodes.get(node)?.inputs.find((one) => one.name === port);
  if (!takes) throw new Error("no port");
  return { takes };
};

test("node types are found by words", () => {
  expect(found("sampler")[0]).toBe("sampler");
  expect(found("cfg")).toEqual(["classifier_free_guidance"]);
  expect(found("Prompt")).toEqual(["text_encoder"]);
  expect(found("denoiser")).toEqual(["point_denoiser", "unet_denoiser"]);
  expect(found("free guid")).toEqual(["classifier_free_guidance"]);
  expect(found("file pict")).toEqual(["picture_open"]);
  expect(found("nothing like it")).toEqual([]);
  expect(found("").length).toBe(LIBRARY.nodes.size);
});

test("what fits a port comes with its port, the closest first", () => {
  expect(found("", gives("Condition"))).toEqual(["unet_denoiser.conditions", "first.items", "same.value"]);
  expect(found("", gives("Text"))[0]).toBe("text_encoder.text");
  expect(found("gr", gives("Image"))).toEqual(["grid.images"]);
  expect(found("sampler", gives("Condition"))).toEqual([]);
  expect(found("", takes("grid", "images")).slice(0, 2)).toEqual(["grid.image", "picture_open.image"]);
  expect(found("", takes("text_encoder", "model"))).toEqual(["first.item", "sampler.sample"]);
});
