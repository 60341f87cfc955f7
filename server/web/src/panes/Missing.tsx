/** Weights that a run needs and that are not on this machine: one button fetches them. */

import { useState } from "react";
import { ask, Problem } from "../api";
import { short } from "../canvas/types";
import { ENDED } from "../running";
import { say, usePage, useRuns } from "../store";

interface Terms {
  model: string;
  licence: string;
  text: string;
}

export function Missing() {
  const missing = usePage((page) => page.judged.missing);
  const fetched = useRuns((runs) => runs.fetched);
  const [terms, setTerms] = useState<Terms | null>(null);
  if (!missing.length) return null;
  const bytes = missing.reduce((sum, one) => sum + (one.bytes ?? 0), 0);
  const licences = [...new Set(missing.map((one) => one.licence ?? "licence unknown"))];
  const fetchAll = async (accepted: string | null) => {
    setTerms(null);
    for (const { model } of missing) {
      try {
        const body = accepted === model ? { accept_licence: true } : {};
        const { found } = await ask<{ id: string }>("POST", `models/${model}/get`, body);
        useRuns.setState((old) => ({
          fetched: { ...old.fetched, [found.id]: { state: "queued", done: 0, total: 0 } },
        }));
      } catch (problem) {
        if (!(problem instanceof Problem)) throw problem;
        if (problem.type !== "licence") return say(problem.message);
        const { licence, terms } = problem.body as { licence: string; terms: string };
        return setTerms({ model, licence, text: terms });
      }
    }
  };
  const going = Object.values(fetched);
  const running = going.filter((one) => !ENDED.includes(one.state));
  const failed = going.some((one) => one.state === "failed" || one.state === "interrupted");
  const [done, total] = [going.reduce((sum, one) => sum + one.done, 0), going.reduce((sum, one) => sum + one.total, 0)];
  return (
    <section className="lacking" aria-label="missing weights">
      <p>
        Not on this machine: {missing.map((one) => one.model).join(", ")} ({short(bytes)}B, {licences.join(", ")}).
      </p>
      {terms ? (
        <p>
          {terms.model} is under {terms.licence}. {terms.text}{" "}
          <button onClick={() => void fetchAll(terms.model)}>Accept, and fetch</button>
        </p>
      ) : running.length ? (
        <progress aria-label="fetched" value={total ? done / total : 0} max={1} />
      ) : (
        <button onClick={() => void fetchAll(null)}>{failed ? "Try again" : "Fetch them"}</button>
      )}
    </section>
  );
}
