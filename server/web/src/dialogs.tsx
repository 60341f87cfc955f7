/** What asks for an answer over the page: a list to choose from, a line to type. Commands wait for it. */

import { useState } from "react";
import { create } from "zustand";
import { Over } from "./Over";
import { type Choice, Picker, type PickerProps } from "./Picker";

export interface Place {
  x: number;
  y: number;
}
type Asked =
  | { kind: "pick"; title: string; choices: PickerProps["choices"]; at: Place | undefined; done: Done<Choice> }
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

interface AskProps {
  title: string;
  initial: string;
  onDone: (typed: string) => void;
  onClose: () => void;
}

function Ask({ title, initial, onDone, onClose }: AskProps) {
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
