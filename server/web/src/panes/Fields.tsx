/** Fields for values, by what the value is for. */

import { useEffect, useRef, useState } from "react";
import { baseOf } from "../canvas/types";
import { plain, type Scalar } from "../core/scalars";
import { FileField } from "./FileField";

export interface FieldSpec {
  name: string;
  type: string;
  help: string;
  low: number | null;
  high: number | null;
  menu: readonly unknown[] | null;
  /** Whether a file that was uploaded may stand for it: for inputs of the graph alone. */
  uploads: boolean;
}

export type Given = Scalar | readonly Given[] | { file: string } | undefined;

export interface FieldProps {
  spec: FieldSpec;
  value: Given;
  /** What stands where nothing is given. */
  fallback: Given;
  disabled?: boolean;
  /** `joined` where it goes on with the change before, as while dragging or typing. */
  onChange: (value: Given, joined: boolean) => void;
}

const NUMBERS = ["int", "float", "Seed"];

export function Field({ spec, value, fallback, disabled = false, onChange }: FieldProps) {
  const base = baseOf(spec.type);
  const now = value === undefined ? fallback : value;
  const common = { id: `field-${spec.name}`, title: spec.help, disabled, "aria-label": spec.name };
  if (spec.menu) {
    return (
      <select
        {...common}
        value={String(now ?? "")}
        onChange={(event) => onChange(spec.menu?.find((one) => String(one) === event.target.value) as Given, false)}
      >
        {(now ?? null) === null && <option />}
        {spec.menu.map((one) => (
          <option key={String(one)}>{String(one)}</option>
        ))}
      </select>
    );
  }
  if (base === "bool")
    return (
      <input
        {...common}
        type="checkbox"
        checked={now === true}
        onChange={(event) => onChange(event.target.checked, false)}
      />
    );
  if (spec.uploads) return <FileField common={common} type={base} value={now} onChange={onChange} />;
  if (NUMBERS.includes(base) && (typeof now === "number" || now === undefined || now === null))
    return <Numeric spec={spec} common={common} value={now ?? undefined} onChange={onChange} />;
  if (base === "Text") return <Typed common={common} value={now} rows={3} spec={spec} onChange={onChange} />;
  return <Typed common={common} value={now} rows={1} spec={spec} onChange={onChange} />;
}

export type Common = { id: string; title: string; disabled: boolean; "aria-label": string };

function Numeric({
  spec,
  common,
  value,
  onChange,
}: {
  spec: FieldSpec;
  common: Common;
  value: number | undefined;
  onChange: FieldProps["onChange"];
}) {
  const whole = baseOf(spec.type) !== "float";
  const slides = spec.low !== null && spec.high !== null && spec.high - spec.low <= 1_000;
  const dragging = useRef(false);
  const step = whole ? 1 : spec.high !== null && spec.low !== null && spec.high - spec.low <= 2 ? 0.01 : 0.1;
  const change = (text: string, joined: boolean) => {
    const number = Number(text);
    if (text.trim() && Number.isFinite(number)) onChange(whole ? Math.round(number) : number, joined);
  };
  return (
    <span className="numeric">
      {slides && (
        <input
          type="range"
          tabIndex={-1}
          aria-hidden
          disabled={common.disabled}
          min={spec.low!}
          max={spec.high!}
          step={step}
          value={value ?? spec.low!}
          onPointerDown={() => (dragging.current = false)}
          onChange={(event) => {
            change(event.target.value, dragging.current);
            dragging.current = true;
          }}
        />
      )}
      <Draft
        common={common}
        type="number"
        step={step}
        text={value === undefined ? "" : String(value)}
        onText={change}
      />
      {baseOf(spec.type) === "Seed" && (
        <button
          title="a seed by lot"
          aria-label={`another ${spec.name}`}
          disabled={common.disabled}
          onClick={() => onChange(Math.floor(Math.random() * 2 ** 31), false)}
        >
          ⚄
        </button>
      )}
    </span>
  );
}

/** A field that keeps what is typed while it is typed, and takes what comes from elsewhere when it is not. */
function Draft({
  common,
  text,
  onText,
  rows = 0,
  ...more
}: {
  common: Common;
  text: string;
  onText: (text: string, joined: boolean) => void;
  rows?: number;
  type?: string;
  step?: number;
}) {
  const [typed, setTyped] = useState<string | null>(null);
  const begun = useRef(false);
  useEffect(() => {
    begun.current = false;
  }, [common.id]);
  const shared = {
    ...common,
    className: "nodrag nokey nowheel",
    value: typed ?? text,
    spellCheck: false,
    onChange: (event: React.ChangeEvent<HTMLInputElement | HTMLTextAreaElement>) => {
      setTyped(event.target.value);
      onText(event.target.value, begun.current);
      begun.current = true;
    },
    onBlur: () => {
      setTyped(null);
      begun.current = false;
    },
  };
  return rows ? <textarea {...shared} rows={rows} /> : <input {...shared} {...more} />;
}

function Typed({
  common,
  value,
  rows,
  spec,
  onChange,
}: {
  common: Common;
  value: Given;
  rows: number;
  spec: FieldSpec;
  onChange: FieldProps["onChange"];
}) {
  const words = ["Text", "str"].includes(baseOf(spec.type));
  const text =
    value === undefined || value === null ? "" : Array.isArray(value) ? JSON.stringify(value) : String(value);
  return (
    <Draft
      common={common}
      text={text}
      rows={rows > 1 ? rows : 0}
      onText={(typed, joined) => onChange(words ? typed : readAs(typed), joined)}
    />
  );
}

/** A value as it would be read in a file: `3` is a number, `[1, 2]` a list. */
export function readAs(text: string): Given {
  const trimmed = text.trim();
  if (/^\[.*\]$/.test(trimmed)) {
    try {
      return JSON.parse(trimmed) as Given;
    } catch {
      return text;
    }
  }
  const found = plain(trimmed);
  return found ? (found.value as Given) : text;
}
