import { expect, test } from "vitest";
import { framed } from "./framed";
import { readGraph } from "./graph";
import type { Link, Point, Size } from "./layout";
import { SHIPPED } from "./testing/shipped";
import { waits, wayFrom, wiresTo } from "./wires";

const SIZE: Size = { width: 184, height: 120 };
const PAD = 16;
const HEAD = 32;

test.each(SHIPPED)("%s: what stands in a frame stands together, and nothing else does", (_, text) => {
  const graph = readGraph(text).graph!;
  const before = waits(graph);
  const links = [...graph.nodes.values()].flatMap((node) =>
    wiresTo(node).map(({ source }, n): Link => ({ source: source.name, target: node.name, leaves: 100, enters: 50 + n * 2 })),
  );
  const names = [...graph.inputs.keys(), ...graph.nodes.keys()];
  const sizes = new Map(names.map((name) => [name, SIZE]));
  const framesOf = names.flatMap((name) => {
    const [next] = links.filter(({ source }) => source === name).map(({ target }) => target);
    const between = names.some(
      (other) => next && other !== name && other !== next && wayFrom(before, next, other) && wayFrom(before, other, name),
    );
    return next && !between ? [[name, next]] : [];
  });
  for (const frame of framesOf) {
    const { places, routes } = framed(sizes, links, new Set(), [frame]);
    expect([...places.keys()]).toEqual(names);
    const corners = frame.map((name) => places.get(name)!);
    const [left, top] = [Math.min(...corners.map(([x]) => x)) - PAD, Math.min(...corners.map(([, y]) => y)) - HEAD];
    const [right, bottom] = [Math.max(...corners.map(([x]) => x)) + 184 + PAD, Math.max(...corners.map(([, y]) => y)) + 120 + PAD];
    for (const name of names.filter((one) => !frame.includes(one))) {
      const [x, y] = places.get(name)!;
      expect(x + SIZE.width <= left || x >= right || y + SIZE.height <= top || y >= bottom, `${name} in ${frame}`).toBe(true);
    }
    for (const [n, { source, target, leaves, enters }] of links.entries()) {
      const [[x, y], [endX, endY]] = [places.get(source)!, places.get(target)!];
      const rounded = (point: Point | undefined) => point?.map((one) => Math.round(one * 1e6));
      expect(rounded(routes[n]![0])).toEqual(rounded([x + SIZE.width, y + leaves]));
      expect(rounded(routes[n]!.at(-1))).toEqual(rounded([endX, endY + enters]));
    }
  }
});

test("a frame whose wires go out and in again, or that shares a box, keeps nothing together", () => {
  const sizes = new Map(["a", "b", "c"].map((name) => [name, SIZE]));
  const links: Link[] = [["a", "b"], ["b", "c"]].map(([source = "", target = ""]) => ({ source, target, leaves: 1, enters: 1 }));
  const plain = framed(sizes, links, new Set(), []);
  expect(framed(sizes, links, new Set(), [["a", "c"]])).toEqual(plain);
  const one = framed(sizes, links, new Set(), [["a", "b"]]);
  expect(framed(sizes, links, new Set(), [["a", "b"], ["b", "c"]])).toEqual(one);
  expect(one.places.get("c")![1]).toBeGreaterThanOrEqual(0);
});
