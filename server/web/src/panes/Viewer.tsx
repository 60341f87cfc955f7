/** Pictures over the whole page: enlarged, compared, copied, saved, and the graph that made each. */

import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { fileAddress } from "../api";
import { Which } from "../canvas/Scrub";
import { Choose } from "../Choose";
import { type Open, openJob } from "../commands/files";
import { type Picture, useLooking } from "./looking";
import { Stage, type StageProps } from "./Stage";
import type { View } from "./zoom";

const MODES = { side: "side by side", wipe: "wipe", difference: "difference" } as const;
type Mode = keyof typeof MODES;

export function Viewer({ open }: { open: Open }) {
  const { title, pictures, ...first } = useLooking(({ now }) => now)!;
  const [at, setAt] = useState(first.at);
  const [noisy, setNoisy] = useState(first.noisy);
  const [view, setView] = useState<View | null>(null);
  const [pinned, setPinned] = useState<number | null>(null);
  const [mode, setMode] = useState<Mode>("side");
  const [wipe, setWipe] = useState(50);
  const [told, setTold] = useState("");
  const picture = pictures[at]!;
  const close = () => useLooking.setState({ now: null });
  const go = (to: number) => setAt(Math.max(0, Math.min(pictures.length - 1, to)));
  const layer = (one: Picture) => ({ address: addressOf(one, noisy), label: `${title}: ${one.label}` });
  const compare = () => setPinned(pinned === null ? at : null);
  const deeds: Record<string, () => void> = {
    ArrowLeft: () => go(at - 1),
    ArrowRight: () => go(at + 1),
    Home: () => go(0),
    End: () => go(pictures.length - 1),
    x: () => setNoisy(!noisy),
    c: compare,
    0: () => setView(null),
  };
  const key = (event: KeyboardEvent) => {
    const deed = event.ctrlKey || event.metaKey || event.altKey ? undefined : deeds[event.key];
    if (!deed || (event.target as Element).matches("input")) return;
    event.preventDefault();
    deed();
  };
  const shared = { view, onView: setView };
  return (
    <dialog className="viewer" aria-label={title} ref={opened} onKeyDown={key} onClose={close}>
      <header>
        <h2>{title}</h2>
        <span className="quiet" aria-live="polite">
          {pinned !== null ? `${pictures[pinned]!.label} and ${picture.label}` : picture.label}
        </span>
        {picture.noisy && <Which noisy={noisy} onChange={setNoisy} />}
        <span className="gap" role="status">
          {told}
        </span>
        {pinned !== null && (
          <Choose
            aria-label="how to compare"
            value={mode}
            options={Object.entries(MODES)}
            onChoose={(to) => setMode(to as Mode)}
          />
        )}
        {pictures.length > 1 && (
          <button aria-pressed={pinned !== null} onClick={compare} title="C: keep this one, and choose another">
            Compare
          </button>
        )}
        <button onClick={() => setView(null)} title="0, or a double click: all of it is seen" disabled={!view}>
          Fit
        </button>
        <button onClick={() => void copied(addressOf(picture, noisy)).then(setTold)}>Copy</button>
        <a className="button" href={addressOf(picture, noisy)} download={picture.name}>
          Download
        </a>
        {picture.job && <button onClick={() => (close(), void openJob(picture.job!, open))}>Open what made this</button>}
        <button onClick={close} aria-label="close" title="Esc">
          ×
        </button>
      </header>
      {pinned === null ? (
        <Stages stages={[[layer(picture)]]} {...shared} />
      ) : mode === "side" ? (
        <Stages stages={[[layer(pictures[pinned]!)], [layer(picture)]]} {...shared} />
      ) : (
        <Stages stages={[[layer(pictures[pinned]!), { ...layer(picture), style: over(mode, wipe) }]]} {...shared} />
      )}
      {pinned !== null && mode === "wipe" && (
        <input
          type="range"
          aria-label="how much of the first one is seen"
          value={wipe}
          onChange={({ target }) => setWipe(Number(target.value))}
        />
      )}
      {pictures.length > 1 && <Strip pictures={pictures} at={at} pinned={pinned} noisy={noisy} onChoose={go} />}
    </dialog>
  );
}

const opened = (dialog: HTMLDialogElement | null): void => {
  if (dialog && !dialog.open) dialog.showModal();
};
const addressOf = (picture: Picture, noisy: boolean): string =>
  fileAddress((noisy && picture.noisy) || picture.file);
const over = (mode: Mode, wipe: number) =>
  mode === "wipe" ? { clipPath: `inset(0 0 0 ${wipe}%)` } : { mixBlendMode: "difference" as const };

function Stages({ stages, ...shared }: { stages: StageProps["layers"][] } & Omit<StageProps, "layers">) {
  return (
    <div className="stages">
      {stages.map((layers, n) => (
        <Stage key={n} layers={layers} {...shared} />
      ))}
    </div>
  );
}

interface StripProps {
  pictures: readonly Picture[];
  at: number;
  pinned: number | null;
  noisy: boolean;
  onChoose: (at: number) => void;
}

function Strip({ pictures, at, pinned, noisy, onChoose }: StripProps) {
  const current = useRef<HTMLButtonElement>(null);
  useEffect(() => void current.current?.scrollIntoView({ block: "nearest", inline: "nearest" }), [at]);
  return (
    <div className="strip" role="listbox" aria-label="pictures" aria-orientation="horizontal">
      {pictures.map((picture, n) => (
        <button
          key={n}
          ref={n === at ? current : null}
          role="option"
          aria-selected={n === at}
          className={n === pinned ? "pinned" : ""}
          tabIndex={n === at ? 0 : -1}
          title={picture.label}
          onClick={() => onChoose(n)}
        >
          <img src={picture.small ? fileAddress(picture.small) : addressOf(picture, noisy)} alt={picture.label} loading="lazy" />
        </button>
      ))}
    </div>
  );
}

/** Copy a picture to the clipboard, which takes PNG alone; what came of it, in words. */
async function copied(address: string): Promise<string> {
  try {
    await navigator.clipboard.write([new ClipboardItem({ "image/png": png(address) })]);
    return "copied";
  } catch {
    return "this browser lets no page copy pictures that comes without https from another machine";
  }
}

async function png(address: string): Promise<Blob> {
  const blob = await (await fetch(address)).blob();
  if (blob.type === "image/png") return blob;
  const picture = await createImageBitmap(blob);
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  canvas.getContext("2d")!.drawImage(picture, 0, 0);
  return canvas.convertToBlob({ type: "image/png" });
}
