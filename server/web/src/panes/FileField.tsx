/** A value that is a file: chosen, dropped, pasted, or one that was made or given here before. */

import { Suspense, useState } from "react";
import { addressOf, fileAddress, isFile, isPicture, type Job, type OutFile, upload } from "../api";
import { pictureOf } from "../core/masked";
import { list } from "../running";
import { tell, usePage, useRuns } from "../store";
import type { Common, FieldProps, Given } from "./Fields";
import { lazily } from "../lazily";

const Painter = lazily(async () => (await import("../mask/Painter")).Painter);
const MOST = 24;
/** What files were called that were sent from here. */
const names = new Map<string, string>();

export const PICTURES: readonly string[] = ["Image", "Mask", "AlphaFile", "ClipImage"];
export const thumbnailOf = (digest: string): string => addressOf(`files/${digest}/thumbnail`);

interface FileFieldProps {
  common: Common;
  type: string;
  value: Given;
  onChange: FieldProps["onChange"];
}

export function FileField({ common, type, value, onChange }: FileFieldProps) {
  const [earlier, setEarlier] = useState(false);
  const [busy, setBusy] = useState(false);
  const name = common["aria-label"];
  const pictures = PICTURES.includes(type);
  const take = async (file: File | undefined) => {
    if (!file) return;
    setBusy(true);
    await upload(file).then(({ file: digest, name }) => {
      names.set(digest, name);
      onChange({ file: digest }, false);
    }, tell);
    setBusy(false);
  };
  const given = (event: React.DragEvent | React.ClipboardEvent, files: FileList) => {
    if (!files.length) return;
    event.preventDefault();
    event.stopPropagation();
    void take(files[0]);
  };
  return (
    <div
      className="upload"
      role="group"
      aria-label={`file of ${name}`}
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => given(event, event.dataTransfer.files)}
      onPaste={(event) => given(event, event.clipboardData.files)}
    >
      {type === "Mask" ? (
        <MaskOf name={name} value={value} disabled={common.disabled} onChange={onChange} />
      ) : isFile(value) && pictures ? (
        <img className="given" src={thumbnailOf(value.file)} alt={`picture of ${name}`} />
      ) : (
        <small>
          {isFile(value)
            ? (names.get(value.file) ?? "a file")
            : typeof value === "string"
              ? value
              : "drop, paste or choose a file"}
        </small>
      )}
      <span className="tools">
        <label className="button">
          {busy ? "sends it …" : "Choose …"}
          <input
            {...common}
            type="file"
            accept={pictures ? "image/*" : undefined}
            onChange={(event) => void take(event.target.files?.[0])}
          />
        </label>
        {pictures && (
          <button
            type="button"
            aria-expanded={earlier}
            disabled={common.disabled}
            onClick={() => {
              setEarlier(!earlier);
              void list().catch(() => undefined);
            }}
          >
            Earlier
          </button>
        )}
      </span>
      {isFile(value) && (
        <button
          type="button"
          className="away"
          aria-label={`take the file of ${name} away`}
          onClick={() => onChange(undefined, false)}
        >
          ×
        </button>
      )}
      {earlier && (
        <Earlier
          onPick={(file) => {
            onChange({ file }, false);
            setEarlier(false);
          }}
        />
      )}
    </div>
  );
}

/** Pictures that runs made, and that were given to runs, the newest first. */
function Earlier({ onPick }: { onPick: (digest: string) => void }) {
  const jobs = useRuns((runs) => runs.listed);
  const found = new Map(jobs.flatMap(picturesOf).map((file) => [file.file, file]));
  return (
    <ul className="earlier" aria-label="earlier pictures">
      {[...found.values()].slice(0, MOST).map((file) => (
        <li key={file.file}>
          <button type="button" title={file.name} aria-label={file.name} onClick={() => onPick(file.file)}>
            <img src={thumbnailOf(file.file)} alt="" loading="lazy" />
          </button>
        </li>
      ))}
      {found.size === 0 && <li className="quiet">There are none yet.</li>}
    </ul>
  );
}

export function picturesOf(job: Job): OutFile[] {
  const given = Object.entries((job.asked.inputs ?? {}) as Record<string, unknown>)
    .filter(([, value]) => isFile(value))
    .map(([name, value]) => ({ ...(value as OutFile), name }));
  return [...Object.values(job.outputs).flat().filter(isPicture), ...given];
}

/** The mask over its picture, and the way to paint it. */
function MaskOf({
  name,
  value,
  disabled,
  onChange,
}: { name: string; value: Given; disabled: boolean } & Pick<FieldProps, "onChange">) {
  const of = usePage((page) => pictureOf(page.document!.read.graph, name));
  const picture = usePage((page) => page.values[of]);
  const [painting, setPainting] = useState(false);
  const file = isFile(value) ? value.file : null;
  return (
    <>
      {file && (
        <span className="masked given">
          {isFile(picture) && <img src={thumbnailOf(picture.file)} alt="" />}
          <svg width="0" height="0" aria-hidden="true">
            <filter id="ink" x="0" y="0" width="1" height="1" colorInterpolationFilters="sRGB">
              <feColorMatrix values="0 0 0 0 0.88  0 0 0 0 0.13  0 0 0 0 0.5  -1 0 0 0 1" />
            </filter>
          </svg>
          <img className="ink" src={fileAddress(file)} alt={`mask of ${of || "the picture"}: what is to change`} />
        </span>
      )}
      <button
        type="button"
        disabled={disabled || !isFile(picture)}
        title={isFile(picture) ? `paint over ${of} what is to change` : `give ${of || "a picture"} first`}
        onClick={() => setPainting(true)}
      >
        {file ? "Paint on" : "Paint"}
      </button>
      {!isFile(picture) && <small>Give {of || "a picture"} first, then paint over it.</small>}
      {painting && isFile(picture) && (
        <Suspense>
          <Painter
            name={name}
            picture={picture.file}
            file={file}
            onClose={() => setPainting(false)}
            onDone={({ file: digest }) => {
              onChange({ file: digest }, false);
              setPainting(false);
            }}
          />
        </Suspense>
      )}
    </>
  );
}
