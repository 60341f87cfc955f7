import { expect, test, vi } from "vitest";
import { noWorse, sameGraph } from "./meaning";
import { reprinted } from "./reprinting";
import { applied } from "./text";
import { NASTY } from "./testing/nasty";
import { casesOf, comments } from "./testing/oracle";
import { FORMS, SHIPPED } from "./testing/shipped";
import { parse, type Table } from "./tree";

vi.setConfig({ testTimeout: process.env.NODEGRAPH_SOAK ? 3_600_000 : 60_000 });
const TEXTS = { ...NASTY, ...Object.fromEntries(SHIPPED.filter((_, i) => i % 18 === 0)) };

test.each(Object.entries(TEXTS))("every edit of %s, by printing its entries anew", (_, shipped) => {
  let made = 0;
  for (const form of ["as it is", "BOM, CRLF, no last newline"]) {
    const text = FORMS[form]?.(shipped) ?? "";
    const before = parse(text);
    for (const { name, make } of casesOf(text)) {
      const wanted = parse(applied(text, make(text))).tree;
      const way = wanted ? reprinted(text, before.tree as Table, wanted) : null;
      if (!way || !wanted) continue;
      const after = applied(text, way);
      const right = sameGraph(parse(after).tree, wanted) && noWorse(parse(after), before);
      expect([name, right ? true : after, comments(after)]).toEqual([name, true, comments(text)]);
      made += 1;
    }
  }
  expect(made).toBeGreaterThan(5);
});

test("an entry that is printed anew", () => {
  const text =
    "nodes:\n  # one\n  one: # two\n    type: a # three\n    b: |  # four\n      text\n  two: {type: b}  # five\n";
  const wanted = parse("nodes: {one: {type: a, b: [1, 'x: y']}, two: {type: b}}").tree;
  const after = applied(text, reprinted(text, parse(text).tree as Table, wanted ?? (parse(text).tree as Table)) ?? []);
  expect(after).toBe(
    'nodes:\n  # one\n  # two\n  # three\n  # four\n  one: {type: a, b: [1, "x: y"]}\n  two: {type: b}  # five\n',
  );
});
