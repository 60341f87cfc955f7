/** What trainings tell while they go on: a chart for each number. */

import { type PointerEvent, useState } from "react";
import { useRuns } from "../store";
import { Chart } from "./Chart";
import { curveOf, digits, namesOf, nearest } from "./curves";

export function Curves() {
  const metrics = useRuns((runs) => runs.metrics);
  const charts = Object.entries(metrics).flatMap(([node, rows]) => namesOf(rows).map((name) => ({ node, name })));
  if (!charts.length) return <p className="runs quiet">A training draws its loss here while it goes on.</p>;
  return (
    <section className="runs curves" aria-label="curves">
      {charts.map(({ node, name }) => (
        <Panel key={`${node} ${name}`} node={node} name={name} />
      ))}
    </section>
  );
}

function Panel({ node, name }: { node: string; name: string }) {
  const rows = useRuns((runs) => runs.metrics[node] ?? []);
  const [log, setLog] = useState(false);
  const [over, setOver] = useState<number | null>(null);
  const curve = curveOf(rows, name, log);
  const at = over === null ? curve.rows.length - 1 : nearest(curve, over);
  const [point, row] = [curve.points[at], curve.rows[at]];
  if (!point || !row) return null;
  const hover = (event: PointerEvent<HTMLElement>) => {
    const { left, width } = event.currentTarget.getBoundingClientRect();
    setOver((event.clientX - left) / width);
  };
  return (
    <figure>
      <header>
        <h2>
          {name} <small>{node}</small>
        </h2>
        <span className="quiet" role="status">
          {digits(row.value)} at step {row.step}
        </span>
        <span className="gap" />
        <button aria-pressed={log} disabled={curve.low <= 0} onClick={() => setLog(!log)}>
          log
        </button>
      </header>
      <div className="axes">
        <span>{digits(curve.high)}</span>
        <span>{digits(curve.low)}</span>
        <div onPointerMove={hover} onPointerLeave={() => setOver(null)}>
          <Chart curve={curve} label={`${name} of ${node}`} />
          <i style={{ left: `${point[0] * 100}%`, top: `${(1 - point[1]) * 100}%` }} />
        </div>
        <span>{curve.rows[0]!.step}</span>
        <span>{curve.rows.at(-1)!.step} steps</span>
      </div>
    </figure>
  );
}
