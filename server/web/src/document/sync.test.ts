/** A reader follows a writer and takes over, over a line that is slow and breaks: no character is lost, and all texts become one. */

import { ChangeSet, Text } from "@codemirror/state";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Problem } from "../api";
import { drawing } from "../core/testing/oracle";
import { Sync, type Update } from "./sync";

const TEXT = "graph: 1\nnodes: {}\n";
const line = vi.hoisted(() => ({ send: (_path: string, _body?: any): Promise<unknown> => Promise.resolve() }));
vi.mock("../api", async (whole) => ({
  ...(await whole<typeof import("../api")>()),
  get: (path: string) => line.send(path),
  post: (path: string, body: unknown) => line.send(path, body),
  ask: (_method: string, path: string, body: unknown) => line.send(path, body),
}));

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A document as the server keeps it. */
class Kept {
  text = Text.of(TEXT.split("\n"));
  readonly updates: Update[] = [];
  writer = "";
  private readonly heard = new Set<Page>();

  open(client: string): Page {
    const page = new Page(client, this);
    this.heard.add(page);
    return page;
  }

  answer(path: string, body: any): unknown {
    if (!body) return this.updates.slice(Number(path.split("=")[1]));
    if (this.writer && this.writer !== body.client && !body.take) throw new Problem(409, "not-writer", "", {});
    if (path.endsWith("/writer")) return this.write(body.client);
    if (body.version !== this.updates.length) throw new Problem(409, "stale", "", {});
    this.writer = body.client;
    this.text = ChangeSet.fromJSON(body.changes).apply(this.text);
    const version = this.updates.push({ version: body.version + 1, client: body.client, changes: body.changes });
    for (const { sync } of this.heard) setTimeout(() => sync.receive(this.updates[version - 1]!), 5);
    return { version, unsaved: true };
  }

  private write(client: string): void {
    this.writer = client;
    for (const page of this.heard) if (page.sync.client !== client) setTimeout(() => page.sync.lostWriter(), 5);
  }
}

class Page {
  text: Text;
  readonly sync: Sync;

  constructor(client: string, kept: Kept) {
    this.text = kept.text;
    const held = {
      doc: () => this.text,
      apply: (changes: ChangeSet) => void (this.text = changes.apply(this.text)),
      replace: (text: string) => void (this.text = Text.of(text.split("\n"))),
    };
    this.sync = new Sync("a.yaml", client, held, 0, client === "one", () => undefined);
  }

  type(letter: string, from: number): void {
    const changes = ChangeSet.of({ from, insert: letter }, this.text.length);
    this.text = changes.apply(this.text);
    this.sync.changed(changes);
  }
}

/** A line that takes its time, and of every `breaks` requests or answers loses one; none where it is 0. */
function slow(kept: Kept, draw: (below: number) => number, breaks: () => number): typeof line.send {
  const away = () => new Promise((done) => setTimeout(done, draw(40)));
  const fall = () => {
    if (breaks() && draw(breaks()) === 0) throw new Problem(0, "offline", "", {});
  };
  return async (path, body) => {
    await away();
    fall();
    const found = kept.answer(path, body);
    await away();
    fall();
    return structuredClone(found);
  };
}

test.each(Array.from({ length: 60 }, (_, number) => number))("sequence %i", async (number) => {
  const draw = drawing(number);
  const kept = new Kept();
  let breaks = [0, 12, 5][number % 3]!;
  line.send = slow(kept, draw, () => breaks);
  const pages = [kept.open("one"), kept.open("two")];
  const typed: string[] = [];
  for (let step = 0; step < 60; step += 1) {
    const page = pages[draw(2)]!;
    if (page.sync.writer) {
      typed.push(String.fromCodePoint(0x4e00 + step));
      page.type(typed.at(-1)!, draw(page.text.length + 1));
    } else if (draw(4) === 0) void page.sync.hold(true);
    await vi.advanceTimersByTimeAsync(draw(60));
  }
  breaks = 0;
  await vi.advanceTimersByTimeAsync(10_000);
  for (const { sync } of pages) {
    await Promise.all([sync.hold(true), vi.advanceTimersByTimeAsync(10_000)]);
    expect(sync.settled).toBe(true);
  }
  for (const { text } of pages) expect(text.toString()).toBe(kept.text.toString());
  const letters = [...kept.text.toString()].filter((letter) => letter >= "\u4e00");
  expect(letters.toSorted()).toEqual(typed.toSorted());
});
