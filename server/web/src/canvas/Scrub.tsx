/** What a node that works in steps shows: the picture of a step, and a way back and forth through those that are kept. */

import { useState } from "react";
import { fileAddress, type Step } from "../api";
import { Chart } from "../panes/Chart";
import { curveOf, digits, namesOf } from "../panes/curves";
import { look } from "../panes/looking";
import { type Progress, usePage, useRuns } from "../store";

const NONE: readonly Step[] = [];
const SAID: Partial<Record<Progress["status"], string>> = { running: "begins", cached: "kept from before" };

export function Scrub({ name }: { name: string }) {
  const run = useRuns((runs) => runs.cell ?? runs.job?.id);
  const progress = useRuns((runs) => runs.nodes[name]);
  const steps = useRuns((runs) => runs.steps[name] ?? NONE);
  const charted = useRuns((runs) => (runs.metrics[name]?.length ?? 0) > 1);
  const [place, setPlace] = useState({ run, at: Number.POSITIVE_INFINITY });
  const [noisy, setNoisy] = useState(false);
  const last = steps.length - 1;
  const at = place.run === run ? Math.min(place.at, last) : last;
  const step = steps[at];
  const newest = at === last && !noisy ? progress?.preview : null;
  const file = newest ?? (noisy ? step?.noisy : null) ?? step?.preview;
  const enlarge = () =>
    look(`steps of ${name}`, steps.map(pictureOf(name)), Math.max(at, 0), noisy);
  return (
    <div className="preview">
      {charted && <Loss name={name} />}
      {file ? (
        <button className="nodrag nokey" disabled={!step} title="enlarge" onClick={enlarge}>
          <img src={fileAddress(file)} alt={`preview of ${name}`} draggable={false} />
        </button>
      ) : (
        !charted && <span>{progress?.note || (progress && SAID[progress.status]) || ""}</span>
      )}
      {step && last > 0 && (
        <div className="scrub nodrag nopan nokey" onPointerEnter={() => fetchAll(steps, noisy)}>
          <input
            type="range"
            aria-label={`step of ${name}`}
            aria-valuetext={`step ${step.done} of ${step.total}`}
            min={0}
            max={last}
            value={at}
            onFocus={() => fetchAll(steps, noisy)}
            onChange={({ target }) => {
              const to = Number(target.value);
              setPlace({ run, at: to === last ? Number.POSITIVE_INFINITY : to });
            }}
          />
          <output>
            {step.done}/{step.total}
          </output>
          {step.noisy && <Which noisy={noisy} onChange={setNoisy} />}
        </div>
      )}
    </div>
  );
}

/** The first number that a node tells with its steps, as a small chart that leads to the large ones. */
function Loss({ name }: { name: string }) {
  const rows = useRuns((runs) => runs.metrics[name])!;
  const [told = ""] = namesOf(rows);
  const curve = curveOf(rows, told, false, 80);
  return (
    <button className="nodrag nokey" title="all curves" onClick={() => usePage.setState({ pane: "curves" })}>
      <Chart curve={curve} label={`${told} of ${name}`} />
      <small>
        {told} {digits(curve.rows.at(-1)!.value)}
      </small>
    </button>
  );
}

/** Which of the two pictures of a step is seen. */
export function Which({ noisy, onChange }: { noisy: boolean; onChange: (noisy: boolean) => void }) {
  return (
    <button
      className="which"
      aria-label={`${noisy ? "xt" : "x̂0"}: show x_t`}
      aria-pressed={noisy}
      title={noisy ? "x_t, as the sampler has it; click for the predicted x̂₀" : "the predicted x̂₀; click for x_t"}
      onClick={() => onChange(!noisy)}
    >
      {noisy ? "x" : "x̂"}
      <sub>{noisy ? "t" : "0"}</sub>
    </button>
  );
}

const pictureOf =
  (name: string) =>
  ({ done, total, preview, noisy }: Step) => ({
    file: preview,
    name: `${name}-${done}.webp`,
    label: `${done}/${total}`,
    ...(noisy ? { noisy } : {}),
  });

/** Ask for all pictures before they are wanted, so that none blinks. */
function fetchAll(steps: readonly Step[], noisy: boolean): void {
  for (const step of steps) new Image().src = fileAddress((noisy && step.noisy) || step.preview);
}
