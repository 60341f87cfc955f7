/** Fields for values, by what the value is for. */

import { useEffect, useRef, useState } from "react";
import { baseOf } from "../canvas/types";
import { asThemselves, Choose } from "../Choose";
import { plain, type Scalar } from "../core/scalars";
import { tell } from "../store";
import { FileField } from "./FileField";
import { chooseModel } from "./models";

export interface FieldSpec {
  name: string;
  type: string;
  help: string;
  low: number | null;
  high: number | null;
  menu: readonly unknown[] | null;
  /** Whether a file that was uploaded may stand for it: for inputs of the graph alone. */
  uploads: boolean;
  /** An example of the models whose names it takes; empty where it takes none. */
  models: string;
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

export type Common = { id: string; title: string; disabled: boolean; "aria-label": string };

interface KindProps extends Pick<FieldProps, "spec" | "onChange"> {
  common: Common;
  now: Given;
}

export function Field({ spec, value, fallback, disabled = false, onChange }: FieldProps) {
  const base = baseOf(spec.type);
  const now = value === undefined ? fallback : value;
  const common = { id: `field-${spec.name}`, title: spec.help, disabled, "aria-label": spec.name };
  const kind = { spec, common, now, onChange };
  if (spec.menu) return <Menu {...kind} />;
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
    return <Numeric {...kind} value={now ?? undefined} />;
  if (spec.models) return <Model {...kind} />;
  return <Typed {...kind} />;
}

function Menu({ spec, common, now, onChange }: KindProps) {
  const menu = spec.menu ?? [];
  const none = (now ?? null) === null ? [["", ""] as const] : [];
  return (
    <Choose
      {...common}
      value={String(now ?? "")}
      options={[...none, ...asThemselves(menu.map(String))]}
      onChoose={(to) => onChange(menu.find((one) => String(one) === to) as Given, false)}
    />
  );
}

/** The name of a model: typed, as that of a folder is, or chosen from the catalogue. */
function Model({ spec, common, now, onChange }: KindProps) {
  const value = typeof now === "string" ? now : "";
  const choose = async () => {
    const chosen = await chooseModel(`${spec.name}: a model`, baseOf(spec.type) === "Bundle", value || spec.models);
    if (chosen) onChange(chosen, false);
  };
  return (
    <span className="numeric">
      <Draft common={common} text={value} onText={onChange} />
      <button
        type="button"
        title="choose from the catalogue"
        aria-label={`choose ${spec.name}`}
        disabled={common.disabled}
        onClick={() => void choose().catch(tell)}
      >
        ▾
      </button>
    </span>
  );
}

function Numeric({ spec, common, value, onChange }: KindProps & { value: number | undefined }) {
  const whole = baseOf(spec.type) !== "float";
  const { low, high } = spec;
  const range = low !== null && high !== null && high > low && high - low <= 1_000 ? { low, high } : null;
  const step = whole ? 1 : range && range.high - range.low <= 2 ? 0.01 : 0.1;
  const change = (text: string, joined: boolean) => {
    const number = Number(text);
    if (text.trim() && Number.isFinite(number)) onChange(whole ? Math.round(number) : number, joined);
  };
  return (
    <span className="numeric">
      <Draft
        common={common}
        type="number"
        step={step}
        text={value === undefined ? "" : String(value)}
        onText={change}
        {...(range && sliding(range, step, value ?? range.low, onChange))}
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

/** What makes a number in a range a slider: it is filled as far as the value is, and a drag over it changes it. */
function sliding(
  { low, high }: { low: number; high: number },
  step: number,
  value: number,
  onChange: FieldProps["onChange"],
) {
  const begin = (event: React.PointerEvent<HTMLInputElement>) => {
    const field = event.currentTarget;
    if (field === document.activeElement || event.button) return;
    let dragged = false;
    const move = (now: PointerEvent) => {
      const far = now.clientX - event.clientX;
      if (!dragged && Math.abs(far) < 4) return;
      const next = Math.round((value + (far / field.clientWidth) * (high - low)) / step) * step;
      onChange(Number(Math.min(high, Math.max(low, next)).toFixed(2)), dragged);
      dragged = true;
    };
    const end = () => {
      field.removeEventListener("pointermove", move);
      if (!dragged) field.select();
    };
    field.setPointerCapture(event.pointerId);
    field.addEventListener("pointermove", move);
    field.addEventListener("lostpointercapture", end, { once: true });
  };
  const part = ((Math.min(high, Math.max(low, value)) - low) / (high - low)) * 100;
  return {
    sliding: true,
    min: low,
    max: high,
    style: { "--part": `${part}%` } as React.CSSProperties,
    onPointerDown: begin,
    // The focus comes with a click, not at the begin of a drag.
    onMouseDown: (event: React.MouseEvent) => event.target !== document.activeElement && event.preventDefault(),
  };
}

/** A field that keeps what is typed while it is typed, and takes what comes from elsewhere when it is not. */
function Draft({
  common,
  text,
  onText,
  rows = 0,
  sliding = false,
  ...more
}: {
  common: Common;
  text: string;
  onText: (text: string, joined: boolean) => void;
  rows?: number;
  sliding?: boolean;
} & Omit<React.InputHTMLAttributes<HTMLInputElement>, "onChange">) {
  const [typed, setTyped] = useState<string | null>(null);
  const begun = useRef(false);
  useEffect(() => {
    begun.current = false;
  }, [common.id]);
  const shared = {
    ...common,
    className: `nodrag nokey nowheel${sliding ? " sliding" : ""}`,
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

function Typed({ spec, common, now, onChange }: KindProps) {
  const base = baseOf(spec.type);
  const text = Array.isArray(now) ? JSON.stringify(now) : String(now ?? "");
  const read = ["Text", "str"].includes(base) ? (typed: string) => typed : readAs;
  const rows = base === "Text" ? 3 : 0;
  return <Draft common={common} text={text} rows={rows} onText={(typed, joined) => onChange(read(typed), joined)} />;
}

/** A value as it would be read in a file: `3` is a number, `[1, 2]` a list. */
function readAs(text: string): Given {
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
