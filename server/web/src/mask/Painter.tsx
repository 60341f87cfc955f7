/** Paints the mask of a picture: what is to change. The file has it the other way round, and this says so. */

import { useEffect, useReducer, useRef, useState } from "react";
import { fileAddress, type OutFile } from "../api";
import { keepMask, openMask } from "./files";
import { type Mask, resized } from "./paint";
import { Stage, type StageHandle } from "./Stage";

interface PainterProps {
  name: string;
  picture: string;
  /** The mask as it is; null where none is given. */
  file: string | null;
  onDone: (kept: OutFile) => void;
  onClose: () => void;
}

export function Painter({ name, picture, file, onDone, onClose }: PainterProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [mask, setMask] = useState<Mask | null>(null);
  const [fault, setFault] = useState("");
  useEffect(() => {
    dialog.current!.showModal();
    openMask(picture, file).then(setMask, () => setFault("the picture cannot be read"));
  }, [picture, file]);
  return (
    <dialog
      ref={dialog}
      className="painter"
      aria-label={`paint ${name}`}
      onClose={onClose}
      onPaste={(event) => event.stopPropagation()}
      onDrop={(event) => {
        event.preventDefault();
        event.stopPropagation();
      }}
    >
      {mask ? (
        <Tools mask={mask} picture={picture} onDone={onDone} onClose={onClose} />
      ) : (
        <p className={fault ? "error" : "quiet"}>{fault || "opens the picture …"}</p>
      )}
      {fault && <button onClick={onClose}>Close</button>}
    </dialog>
  );
}

function Tools({
  mask,
  picture,
  onDone,
  onClose,
}: Pick<PainterProps, "picture" | "onDone" | "onClose"> & { mask: Mask }) {
  const most = Math.max(2, Math.round(Math.min(mask.width, mask.height)));
  const [size, setSize] = useState(Math.max(1, Math.round(most / 6)));
  const [feather, setFeather] = useState(0);
  const [erase, setErase] = useState(false);
  const [said, setSaid] = useState("");
  const [, changed] = useReducer((n: number) => n + 1, 0);
  const stage = useRef<StageHandle>(null);
  const deed = (area: ReturnType<Mask["undo"]>) => {
    stage.current!.redraw(area);
    changed();
  };
  const whole = (to: (value: number) => number) => {
    mask.change(to);
    deed(mask.whole);
  };
  const done = async () => {
    setSaid("keeps the mask …");
    await keepMask(mask, picture).then(onDone, (problem: Error) => setSaid(problem.message));
  };
  const keys: Readonly<Record<string, () => unknown>> = {
    "[": () => setSize(resized(size, false, most)),
    "]": () => setSize(resized(size, true, most)),
    b: () => setErase(false),
    e: () => setErase(true),
    i: () => whole((value) => 255 - value),
    "+": () => stage.current!.zoom("in"),
    "-": () => stage.current!.zoom("out"),
    "0": () => stage.current!.zoom("fit"),
    "ctrl z": () => deed(mask.undo()),
    "ctrl Z": () => deed(mask.redo()),
    "ctrl y": () => deed(mask.redo()),
    "ctrl Enter": done,
  };
  const key = (event: React.KeyboardEvent) => {
    event.stopPropagation();
    const found = keys[`${event.ctrlKey || event.metaKey ? "ctrl " : ""}${event.key}`];
    if (!found) return;
    event.preventDefault();
    found();
  };
  const percent = Math.round(mask.share * 1_000) / 10;
  return (
    <div className="painting" onKeyDown={key}>
      <div className="tools" role="toolbar" aria-label="painting">
        <button aria-pressed={!erase} onClick={() => setErase(false)} title="B">
          Brush
        </button>
        <button
          aria-pressed={erase}
          onClick={() => setErase(true)}
          title="E; or the right button, or the pen turned round"
        >
          Eraser
        </button>
        <label title="[ and ]">
          Size <Slide name="size" value={size} low={1} high={most} onChange={setSize} />
          <output>{size} px</output>
        </label>
        <label title="how far its edge is soft">
          Feather <Slide name="feather" value={feather} low={0} high={100} onChange={setFeather} />
          <output>{feather} %</output>
        </label>
        <button onClick={keys.i} title="I">
          Invert
        </button>
        <button disabled={!mask.share} onClick={() => whole(() => 0)}>
          Clear
        </button>
        <button disabled={!mask.canUndo} onClick={keys["ctrl z"]} title="Ctrl Z">
          Undo
        </button>
        <button disabled={!mask.canRedo} onClick={keys["ctrl Z"]} title="Shift Ctrl Z">
          Redo
        </button>
        <span className="zooms">
          <button onClick={keys["-"]} title="−" aria-label="zoom out">
            −
          </button>
          <button onClick={keys["0"]} title="0">
            Fit
          </button>
          <button onClick={keys["+"]} title="+" aria-label="zoom in">
            +
          </button>
        </span>
      </div>
      <Stage
        mask={mask}
        picture={fileAddress(picture)}
        brush={{ radius: size / 2, feather: feather / 100, erase }}
        handle={stage}
        onStroke={changed}
      />
      <footer>
        <p className="quiet" role="status">
          {said ||
            (percent
              ? `${percent} % of the picture changes. In the file it stands the other way round: white (1) stays as it is.`
              : "Paint what is to change; what is not painted stays as it is.")}
        </p>
        <button onClick={onClose}>Cancel</button>
        <button className="main" onClick={() => void done()} title="Ctrl Enter">
          Use this mask
        </button>
      </footer>
    </div>
  );
}

interface SlideProps {
  name: string;
  value: number;
  low: number;
  high: number;
  onChange: (value: number) => void;
}

function Slide({ name, value, low, high, onChange }: SlideProps) {
  return (
    <input
      type="range"
      aria-label={name}
      min={low}
      max={high}
      value={value}
      onChange={(event) => onChange(Number(event.target.value))}
    />
  );
}
