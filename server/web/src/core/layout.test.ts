import { expect, test } from "vitest";
import { type Graph, readGraph } from "./graph";
import { type Link, type Places, type Point, routed, type Size } from "./layout";
import { completed, pathAlong } from "./places";
import { circle } from "./testing/library";
import { SHIPPED } from "./testing/shipped";
import { wiresTo } from "./wires";

/** Boxes as large as a canvas draws them, with their wires. */
function boxesOf(graph: Graph): { sizes: Map<string, Size>; links: Link[]; first: Set<string> } {
  const sizes = new Map<string, Size>([...graph.inputs.keys()].map((name) => [name, { width: 144, height: 32 }]));
  for (const [name, { ports }] of graph.nodes) sizes.set(name, { width: 208, height: 80 + 24 * ports.size });
  const links = [...graph.nodes.values()].flatMap((node) =>
    wiresTo(node).map(({ source, port }) => ({
      source: source.name,
      target: node.name,
      leaves: 16,
      enters: 76 + 24 * [...node.ports.keys()].indexOf(port),
    })),
  );
  return { sizes, links, first: new Set(graph.inputs.keys()) };
}

function overlaps(places: Places, sizes: ReadonlyMap<string, Size>): string[] {
  const boxes = [...places].map(([name, [x, y]]) => ({ name, x, y, ...(sizes.get(name) ?? { width: 0, height: 0 }) }));
  return boxes.flatMap((a, i) =>
    boxes
      .slice(i + 1)
      .filter((b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height)
      .map((b) => `${a.name} and ${b.name}`),
  );
}

test.each(SHIPPED)("%s: no box covers another, and wires lead to the right", (_, text) => {
  const { graph } = readGraph(text);
  if (!graph) throw new Error("no graph");
  const { sizes, links, first } = boxesOf(graph);
  const places = routed(sizes, links, first).places;
  expect(overlaps(places, sizes)).toEqual([]);
  expect(circle(graph)).toBeNull();
  for (const { source, target } of links)
    expect(places.get(target)?.[0]).toBeGreaterThan(places.get(source)?.[0] ?? NaN);
  for (const name of first) expect(places.get(name)?.[0]).toBe(0);
});

test.each(SHIPPED)("%s: wires pass no box", (_, text) => {
  const { graph } = readGraph(text);
  if (!graph) throw new Error("no graph");
  const { sizes, links, first } = boxesOf(graph);
  const { places, routes } = routed(sizes, links, first);
  for (const [i, points] of routes.entries()) {
    const inside = points.flatMap(([x, y], at): Point[] => {
      const [nextX, nextY] = points[at + 1] ?? [x, y];
      return y === nextY ? [[(x + nextX) / 2, y]] : [];
    });
    const ends = [links[i]?.source, links[i]?.target];
    const others = [...places].filter(([name]) => !ends.includes(name));
    const hit = others.filter(([name, [left, top]]) => {
      const { width, height } = sizes.get(name) ?? { width: 0, height: 0 };
      return inside.some(([x, y]) => left < x && x < left + width && top < y && y < top + height);
    });
    expect(hit).toEqual([]);
    expect(pathAlong(points)).toMatch(/^M[-\d.]+ [-\d.]+( C[-\d. ]+| H[-\d.]+)+$/);
  }
});

test("a wire leaves and enters at its ports, and passes the layers between", () => {
  const sizes = new Map(["a", "b", "c"].map((name) => [name, BOX]));
  const { places, routes } = routed(sizes, [link("a", "b"), link("b", "c"), link("a", "c")]);
  const [top = NaN, beside = NaN] = ["a", "b"].map((name) => places.get(name)?.[1]);
  expect(routes[0]).toEqual([
    [100, top + 10],
    [154, beside + 10],
  ]);
  expect(routes[2]?.map(([x]) => x)).toEqual([100, 154, 254, 308]);
  expect(
    pathAlong([
      [0, 0],
      [100, 0],
      [200, 50],
    ]),
  ).toBe("M0 0 H100 C150 0 150 50 200 50");
});

const BOX = { width: 100, height: 50 };
const link = (source: string, target: string): Link => ({ source, target, leaves: 10, enters: 10 });

test("a circle is cut, nothing stands alone, and no boxes need no place", () => {
  const sizes = new Map(["a", "b", "c"].map((name) => [name, BOX]));
  const places = routed(sizes, [link("a", "b"), link("b", "c"), link("c", "a"), link("a", "a"), link("x", "a")]).places;
  expect([...places.values()].map(([x]) => x)).toEqual([0, 149, 298]);
  expect(routed(new Map(), []).places.size).toBe(0);
});

test("what is placed stays, and the rest stands beside what it is wired to, where there is room", () => {
  const sizes = new Map(["a", "b", "c", "d"].map((name) => [name, BOX]));
  const links = [link("a", "b"), link("a", "c"), link("c", "d")];
  const all = routed(sizes, links).places;
  expect(completed(new Map(), all, sizes, links)).toEqual(all);
  const kept = new Map([
    ["a", [1000, 1000] as const],
    ["b", [1150, 950] as const],
    ["gone", [0, 0] as const],
  ]);
  const places = completed(kept, all, sizes, links);
  expect([places.get("a"), places.get("b"), places.has("gone")]).toEqual([[1000, 1000], [1150, 950], false]);
  expect(overlaps(places, sizes)).toEqual([]);
  expect(places.get("c")?.[0]).toBeGreaterThan(1100);
  expect(places.get("d")?.[0]).toBeGreaterThan(places.get("c")?.[0] ?? NaN);
});
