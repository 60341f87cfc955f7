/** What asks for an answer over the page: a list to choose from, a line to type. Commands wait for it. */

import { useEffect, useMemo, useRef, useState } from "react";
import { create } from "zustand";

export interface Place {
  x: number;
  y: number;
}
export interface Choice {
  key: string;
  label: string;
  detail?: string;
  /** Other words it is found by. */
  words?: string;
  colour?: string;
  /** Why it cannot be chosen. */
  reason?: string;
}
/** All there are, or what matches the words that are typed, the best first. */
type Choices = readonly Choice[] | ((query: string) => readonly Choice[]);
type Asked =
  | { kind: "pick"; title: string; choices: Choices; at: Place | undefined; done: Done<Choice> }
  | { kind: "ask"; title: string; initial: string; done: Done<string> }
  | { kind: "help"; rows: readonly Shortcut[]; done: Done<never> };
type Done<T> = (answer: T | null) => void;
export type Shortcut = readonly [keys: string, deed: string];

const useDialog = create<{ asked: Asked | null; count: number }>(() => ({ asked: null, count: 0 }));

export const isAsking = (): boolean => useDialog.getState().asked !== null;

function show(asked: Asked): void {
  useDialog.getState().asked?.done(null);
  useDialog.setState((old) => ({ asked, count: old.count + 1 }));
}

/** Let one be chosen of what there is, or of what a function finds for the words typed; null where none was. */
export function pick<T extends Choice = Choice>(
  title: string,
  choices: readonly T[] | ((query: string) => readonly T[]),
  place?: Place,
): Promise<T | null> {
  return new Promise((done) => show({ kind: "pick", title, choices, at: place, done: done as Done<Choice> }));
}

/** Ask for a line of text; null where nothing was typed or the question was left. */
export function askFor(title: string, initial: string): Promise<string | null> {
  return new Promise((done) => show({ kind: "ask", title, initial, done }));
}

/** Show the shortcuts until they are closed. */
export function showShortcuts(rows: readonly Shortcut[]): Promise<null> {
  return new Promise((done) => show({ kind: "help", rows, done: done as () => void }));
}

export function Dialogs() {
  const { asked, count } = useDialog();
  if (!asked) return null;
  const answer = (value: unknown) => {
    useDialog.setState({ asked: null });
    (asked.done as Done<unknown>)(value);
  };
  const shared = { key: count, onClose: () => answer(null) };
  if (asked.kind === "pick") return <Picker {...shared} {...asked} onPick={answer} />;
  if (asked.kind === "ask") return <Ask {...shared} {...asked} onDone={answer} />;
  return <Shortcuts {...shared} rows={asked.rows} />;
}

interface Leaving {
  title: string;
  onClose: () => void;
}

/** Something over the page, until Esc or a press beside it. */
function Over({ title, onClose, className = "", ...more }: React.ComponentProps<"div"> & Leaving) {
  const key = (event: React.KeyboardEvent) => {
    event.stopPropagation();
    if (event.key === "Escape") onClose();
  };
  return (
    <div className="veil" onPointerDown={(event) => event.target === event.currentTarget && onClose()}>
      <div className={`picker ${className}`} role="dialog" aria-label={title} onKeyDown={key} {...more} />
    </div>
  );
}

function Ask({ title, initial, onDone, onClose }: Leaving & { initial: string; onDone: (typed: string) => void }) {
  const [typed, setTyped] = useState(initial);
  const submit = (event: React.FormEvent) => {
    event.preventDefault();
    if (typed.trim()) onDone(typed.trim());
  };
  return (
    <Over title={title} onClose={onClose}>
      <form className="ask" onSubmit={submit}>
        <label>
          {title}
          <input
            autoFocus
            value={typed}
            onFocus={(event) => event.target.select()}
            onChange={(event) => setTyped(event.target.value)}
          />
        </label>
        <button>OK</button>
      </form>
    </Over>
  );
}

function Shortcuts({ rows, onClose }: { rows: readonly Shortcut[]; onClose: () => void }) {
  return (
    <Over title="shortcuts" className="help" tabIndex={0} ref={(found) => found?.focus()} onClose={onClose}>
      <h2>Shortcuts</h2>
      <dl>
        {rows.map(([keys, deed]) => [
          <dt key={keys}>
            <kbd>{keys}</kbd>
          </dt>,
          <dd key={deed}>{deed}</dd>,
        ])}
      </dl>
    </Over>
  );
}

const MOST = 60;

interface PickerProps extends Leaving {
  choices: Choices;
  at?: Place | undefined;
  onPick: (choice: Choice) => void;
}

/** One list to choose from, by typing, arrows and Enter: nodes to add, ports to wire, graphs to open, commands. */
function Picker({ title, choices, at, onPick, onClose }: PickerProps) {
  const [query, setQuery] = useState("");
  const [active, setActive] = useState(0);
  const list = useRef<HTMLUListElement>(null);
  const found = useMemo(
    () => (typeof choices === "function" ? choices(query) : ranked(query, choices)).slice(0, MOST),
    [query, choices],
  );
  useEffect(() => setActive(0), [query]);
  useEffect(() => void list.current?.children[active]?.scrollIntoView({ block: "nearest" }), [active]);
  const pick = (choice: Choice | undefined) => choice && !choice.reason && onPick(choice);
  const key = (event: React.KeyboardEvent) => {
    if (event.key === "ArrowDown") setActive((n) => Math.min(n + 1, found.length - 1));
    else if (event.key === "ArrowUp") setActive((n) => Math.max(n - 1, 0));
    else if (event.key === "Enter") pick(found[active]);
    else return;
    event.preventDefault();
  };
  const style = at
    ? { left: Math.max(8, Math.min(at.x, window.innerWidth - 440)), top: Math.min(at.y, window.innerHeight - 420) }
    : undefined;
  return (
    <Over title={title} className={at ? "at" : ""} style={style} onClose={onClose}>
      <input
        autoFocus
        role="combobox"
        aria-expanded
        aria-controls="choices"
        aria-activedescendant={`choice-${active}`}
        aria-label={title}
        placeholder={title}
        value={query}
        onChange={(event) => setQuery(event.target.value)}
        onKeyDown={key}
      />
      <ul id="choices" role="listbox" ref={list} aria-label={title}>
        {found.map((choice, n) => (
          <li
            id={`choice-${n}`}
            key={choice.key}
            role="option"
            aria-selected={n === active}
            aria-disabled={Boolean(choice.reason)}
            onPointerMove={() => setActive(n)}
            onClick={() => pick(choice)}
          >
            <span className="dot" style={{ background: choice.colour ?? "transparent" }} />
            <b>{choice.label}</b>
            <small>{choice.reason || choice.detail}</small>
          </li>
        ))}
        {found.length === 0 && <li className="none">nothing fits</li>}
      </ul>
    </Over>
  );
}

/** What matches all words that were typed; names first, then what is said of them. */
export function ranked(query: string, choices: readonly Choice[]): Choice[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = choices
    .map((choice, place) => ({ choice, place, score: scoreOf(words, choice) }))
    .filter((row) => row.score > 0);
  rows.sort(
    (a, b) =>
      Number(Boolean(a.choice.reason)) - Number(Boolean(b.choice.reason)) || b.score - a.score || a.place - b.place,
  );
  return rows.map((row) => row.choice);
}

function scoreOf(words: readonly string[], { label, detail = "", words: more = "" }: Choice): number {
  const name = label.toLowerCase();
  const rest = `${detail} ${more}`.toLowerCase();
  let score = 1;
  for (const word of words) {
    if (name.startsWith(word)) score += 8;
    else if (name.includes(word)) score += 4;
    else if (rest.includes(word)) score += 1;
    else return 0;
  }
  return score;
}
