/** What came out of the newest run. */

import { fileAddress, isFile, isPicture } from "../api";
import { useRuns } from "../store";
import { lookAt } from "./looking";

export function Results() {
  const outputs = useRuns((runs) => runs.outputs);
  const job = useRuns((runs) => runs.job);
  const rows = Object.entries(outputs).flatMap(([name, values]) =>
    values.map((value, n) => ({ key: `${name} ${n}`, name, value })),
  );
  if (!job) return null;
  return (
    <section className="results" aria-label="results">
      {rows.map(({ key, name, value }) => (
        <figure key={key}>
          {isPicture(value) ? (
            <button className="picture" title="enlarge" onClick={() => lookAt(job, outputs, value.file)}>
              <img src={fileAddress(value.file)} alt={`result ${name}`} />
            </button>
          ) : isFile(value) ? (
            <a href={fileAddress(value.file)}>{value.name}</a>
          ) : (
            <code>{JSON.stringify(value)}</code>
          )}
          <figcaption>{name}</figcaption>
        </figure>
      ))}
      {Object.keys(job.seeds ?? {}).length > 0 && (
        <p className="quiet">
          {Object.entries(job.seeds ?? {})
            .map(([name, seed]) => `${name} ${seed}`)
            .join(", ")}
        </p>
      )}
    </section>
  );
}
