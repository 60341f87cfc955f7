import { expect, test } from "vitest";
import { routed, type Size } from "./layout";
import kept from "./testing/agreement.json";
import { DIFFERENT } from "./testing/different";
import { parse, type Tree } from "./tree";
import { fits, parseType, typeText } from "./types";

const SORTS = { text: "str", whole: "int", float: "float", flag: "bool", nothing: "NoneType" } as const;

/** What a value says, as the engine's side of the file writes it. */
function said(tree: Tree | null): unknown {
  if (tree?.kind === "table") return Object.fromEntries(tree.entries.map(({ key, value }) => [key, said(value)]));
  if (tree?.kind === "items") return tree.values.map(said);
  const { sort, value } = tree ?? { sort: "nothing" as const, value: null };
  return `${SORTS[sort]}:${sort === "float" ? Number(value) : String(value)}`;
}

/** The same for what the engine says: floats and flags as they are written here. */
function theirs(found: unknown): unknown {
  if (Array.isArray(found)) return found.map(theirs);
  if (typeof found === "object" && found)
    return Object.fromEntries(Object.entries(found).map(([key, v]) => [key, theirs(v)]));
  const text = String(found);
  if (text.startsWith("float:")) return `float:${Number(text.slice(6).replace("inf", "Infinity"))}`;
  return text.startsWith("bool:") ? text.toLowerCase() : text.replace("NoneType:None", "NoneType:null");
}

/** How the client differs from the engine on a text; null where it does not. */
function difference([text, codes, theirSaid]: (typeof Texts)[number]): string | null {
  const { tree, faults } = parse(text);
  const unread = faults.some(({ code }) => code === "syntax" || code === "deep");
  if (theirSaid === null || unread)
    return (theirSaid === null) === unread ? null : unread ? "only here refused" : "only there refused";
  if (JSON.stringify(said(tree)) !== JSON.stringify(theirs(theirSaid))) return "another value";
  return codes.length > 0 === faults.length > 0 ? null : "faults differ";
}

const Texts = kept.texts as unknown as readonly (readonly [string, readonly string[], unknown])[];

test("there are enough texts, of both kinds", () => {
  expect(Texts.length).toBeGreaterThanOrEqual(600);
  expect(Texts.filter(([, , found]) => found === null).length).toBeGreaterThan(100);
});

test("texts are read as the engine reads them, but for those on the list", () => {
  const found = Texts.flatMap((row) => {
    const how = difference(row);
    return how ? [[row[0], how]] : [];
  });
  expect(Object.fromEntries(found)).toEqual(DIFFERENT);
});

test.each(kept.types.map((type, i) => [type, i] as const))("%s fits where the engine lets it", (source, i) => {
  const ports = new Map(kept.ports.map((name) => [name, name]));
  const rows = kept.types.map((target) => {
    const [from, to] = [parseType(source, ports), parseType(target, ports)];
    return Number(fits(from, to, new Map(), { ports, widenings: kept.widenings }));
  });
  expect(rows.join("")).toBe(kept.fits[i]);
  expect(typeText(parseType(source, ports))).toBe(source);
});

test.each(kept.boxes.map((boxes) => [Object.keys(boxes.sizes).length, boxes] as const))(
  "%i boxes stand where the engine draws them",
  (_, boxes) => {
    const sizes = new Map(
      Object.entries(boxes.sizes).map(([name, [width = 0, height = 0]]): [string, Size] => [name, { width, height }]),
    );
    const links = boxes.links.map(([source, target, leaves, enters]) => ({
      source: String(source),
      target: String(target),
      leaves: Number(leaves),
      enters: Number(enters),
    }));
    const { places } = routed(sizes, links, new Set(boxes.first), new Set(boxes.last));
    const wanted = new Map(Object.entries(boxes.places));
    for (const [name, [x, y]] of places) {
      expect(x).toBeCloseTo(wanted.get(name)?.[0] ?? NaN, 3);
      expect(y).toBeCloseTo(wanted.get(name)?.[1] ?? NaN, 3);
    }
    expect(places.size).toBe(wanted.size);
  },
);
