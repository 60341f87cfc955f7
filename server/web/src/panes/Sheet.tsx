/** The sheet of a sweep: its cells along its axes, each with its picture as soon as it is there. */

import { type KeyboardEvent, useState } from "react";
import { addressOf, type Axis, type Cell, fileAddress, type Job } from "../api";
import { asThemselves, Choose } from "../Choose";
import { openJob } from "../commands/files";
import { cancel, ENDED, retry, showCell } from "../running";
import { useRuns } from "../store";
import { cellAt, outputsOf, pictureOf, rowWorded, valuesWorded, worded } from "./cells";
import { look } from "./looking";
import type { PaneProps } from "./panes";

export function Sheet({ open }: PaneProps) {
  const job = useRuns((runs) => runs.job);
  const cells = useRuns((runs) => runs.cells);
  const current = useRuns((runs) => runs.cell);
  const [chosen, setChosen] = useState("");
  const [pages, setPages] = useState<readonly number[]>([]);
  if (!job?.axes?.length)
    return <p className="runs quiet">A run that tries several values of an input fills a sheet here, a cell for each.</p>;
  const { axes } = job;
  const outputs = outputsOf(cells);
  const output = outputs.includes(chosen) ? chosen : (outputs.find((one) => cells.some((cell) => pictureOf(cell, one))) ?? outputs[0] ?? "");
  const enlarge = (id: string | null) => {
    const drawn = cells.flatMap((cell) => {
      const found = pictureOf(cell, output);
      return found ? [{ file: found.file, name: found.name, label: valuesWorded(cell.values), job: cell.id }] : [];
    });
    look(job.title, drawn, Math.max(0, drawn.findIndex((one) => one.job === id)));
  };
  return (
    <section className="runs sheet" aria-label="sheet">
      <header>
        <h2>{job.title}</h2>
        <Count job={job} cells={cells} />
        <span className="gap" />
        {axes.slice(2).map((axis, n) => (
          <label key={n}>
            {axis.names.join("+")}{" "}
            <Choose
              value={pages[n] ?? 0}
              options={axis.rows.map((row, i) => [String(i), rowWorded(row)])}
              onChoose={(to) => setPages(axes.slice(2).map((_, i) => (i === n ? Number(to) : (pages[i] ?? 0))))}
            />
          </label>
        ))}
        {outputs.length > 1 && (
          <Choose aria-label="output" value={output} options={asThemselves(outputs)} onChoose={setChosen} />
        )}
        <button onClick={() => enlarge(current)} disabled={!cells.some((cell) => pictureOf(cell, output))}>
          Enlarge
        </button>
        {current && <button onClick={() => void openJob(current, open)}>Open what made this</button>}
        <a className="button" href={addressOf(`jobs/${job.id}/sheet`)} download={`${job.title}.png`}>
          Download
        </a>
        {ENDED.includes(job.state)
          ? job.state !== "done" && <button onClick={() => void retry(job.id)}>Try again</button>
          : <button onClick={() => void cancel(job.id)}>Cancel</button>}
      </header>
      <Grid axes={axes} pages={pages} cells={cells} output={output} current={current} onEnlarge={enlarge} />
    </section>
  );
}

function Count({ job, cells }: { job: Job; cells: readonly Cell[] }) {
  const done = cells.filter(({ state }) => ENDED.includes(state)).length;
  const failed = cells.filter(({ state }) => state === "failed").length;
  return (
    <span className="quiet" role="status">
      {done < cells.length ? `${done} of ${cells.length}` : `${cells.length} cells, ${job.state}`}
      {failed > 0 && <span className="error"> · {failed} failed</span>}
    </span>
  );
}

interface GridProps {
  axes: readonly Axis[];
  pages: readonly number[];
  cells: readonly Cell[];
  output: string;
  current: string | null;
  onEnlarge: (id: string) => void;
}

/** The first axis goes down and the second across; one alone goes across. */
function Grid({ axes, pages, cells, output, current, onEnlarge }: GridProps) {
  const [down, across] = axes.length > 1 ? [axes[0], axes[1]!] : [undefined, axes[0]!];
  const placed = (row: number, column: number) =>
    cells[cellAt(down ? [row, column, ...pages] : [column], axes)];
  return (
    <div className="cells">
      <table role="grid" aria-label="cells" onKeyDown={moved}>
        <thead>
          <tr>
            {down && <td className="names">{`${down.names.join("+")} ↓  ${across.names.join("+")} →`}</td>}
            {across.rows.map((row, n) => (
              <th key={n} scope="col" title={row.map(String).join(", ")}>
                {down ? rowWorded(row) : `${across.names.join("+")} ${rowWorded(row)}`}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {(down?.rows ?? [[]]).map((row, y) => (
            <tr key={y}>
              {down && (
                <th scope="row" title={row.map(String).join(", ")}>
                  {rowWorded(row)}
                </th>
              )}
              {across.rows.map((_, x) => {
                const cell = placed(y, x);
                if (!cell) return null;
                const tabbed = current ? cell.id === current : x + y === 0;
                return (
                  <td key={x}>
                    <button
                      className={`cell ${cell.state}`}
                      aria-label={`${valuesWorded(cell.values)}: ${[cell.state, saidOf(cell, output)].filter(Boolean).join(", ")}`}
                      aria-pressed={cell.id === current}
                      tabIndex={tabbed ? 0 : -1}
                      title={cell.message || "show this cell; a double click enlarges it"}
                      onClick={() => void showCell(cell.id)}
                      onDoubleClick={() => onEnlarge(cell.id)}
                    >
                      <Inside cell={cell} output={output} />
                    </button>
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const WAITS: Partial<Record<Cell["state"], string>> = { queued: "waits", running: "runs" };

/** What is read in a cell; nothing where there is a picture. */
function saidOf(cell: Cell, output: string): string {
  if (pictureOf(cell, output)) return "";
  if (cell.state === "failed") return cell.message || "failed";
  return cell.outputs[output]?.map(worded).join(", ") ?? WAITS[cell.state] ?? cell.state;
}

function Inside({ cell, output }: { cell: Cell; output: string }) {
  const picture = pictureOf(cell, output);
  if (picture) return <img src={fileAddress(picture.file)} alt="" loading="lazy" draggable={false} />;
  return <span className={cell.state === "failed" ? "error" : ""}>{saidOf(cell, output)}</span>;
}

const STEPS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
};

/** Arrows go from cell to cell. */
function moved(event: KeyboardEvent<HTMLTableElement>): void {
  const step = STEPS[event.key];
  const td = (event.target as Element).closest("td");
  if (!step || !td) return;
  const row = td.parentElement as HTMLTableRowElement;
  const to = (row.parentElement as HTMLTableSectionElement).rows[row.sectionRowIndex + step[0]];
  to?.cells[td.cellIndex + step[1]]?.querySelector("button")?.focus();
  event.preventDefault();
}
