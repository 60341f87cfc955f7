/** One list to choose from, by typing, arrows and Enter: nodes to add, ports to wire, graphs to open, commands. */

import { useEffect, useMemo, useRef, useState } from "react";
import { Over } from "./Over";

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

export interface PickerProps {
  title: string;
  /** All there are, or what matches the words that are typed, the best first. */
  choices: readonly Choice[] | ((query: string) => readonly Choice[]);
  at?: { x: number; y: number } | undefined;
  onPick: (choice: Choice) => void;
  onClose: () => void;
}

const MOST = 60;

export function Picker({ title, choices, at, onPick, onClose }: PickerProps) {
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
