/** Graphs as cards with their pictures. */

import { hashOf } from "../address";
import type { Graph } from "./graphs";

export type Deeds = Record<"open" | "rename" | "copy" | "remove", (path: string) => void>;

interface CardsProps {
  title: string;
  graphs: readonly Graph[];
  deeds: Deeds;
  /** Whether they can be renamed, copied and removed. */
  manage?: boolean;
}

export function Cards({ title, graphs, deeds, manage = false }: CardsProps) {
  if (!graphs.length) return null;
  const plain = !manage && graphs.every((graph) => !graph.picture);
  return (
    <section aria-label={title}>
      <h2>{title}</h2>
      <ul className={plain ? "cards plain" : "cards"}>
        {graphs.map((graph) => (
          <li key={graph.path}>
            <button className="card" onClick={() => deeds.open(graph.path)}>
              {!plain && (graph.picture ? <img src={graph.picture} alt="" loading="lazy" /> : <Wires />)}
              <b>{graph.title}</b>
              {graph.own ? graph.draft && <small className="warning">not saved</small> : <small>{graph.path}</small>}
            </button>
            <span className="tools">
              <a className="link" href={hashOf(graph.path, "app")} aria-label={`${graph.path} as an app`}>
                App
              </a>
              {manage &&
                (["rename", "copy", "remove"] as const).map((deed) => (
                  <button
                    key={deed}
                    className="link"
                    aria-label={`${LABELS[deed]} ${graph.path}`}
                    onClick={() => deeds[deed](graph.path)}
                  >
                    {LABELS[deed]}
                  </button>
                ))}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

const LABELS = { rename: "Rename", copy: "Copy", remove: "Delete" } as const;

const WAITING = 6;

/** What stands where a graph has made no picture yet. */
function Wires() {
  return (
    <svg className="blank" viewBox="0 0 96 56" aria-hidden="true">
      <path d="M32 20 C44 20 44 28 56 28 M32 40 C44 40 44 28 56 28" />
      <rect x="8" y="12" width="24" height="16" rx="3" />
      <rect x="8" y="32" width="24" height="16" rx="3" />
      <rect x="56" y="20" width="32" height="16" rx="3" />
    </svg>
  );
}

export function Waiting() {
  return (
    <ul className="cards" aria-label="reads the graphs" aria-busy>
      {Array.from({ length: WAITING }, (_, n) => (
        <li key={n} className="waiting" />
      ))}
    </ul>
  );
}

/** Let the focus go to the nearest card in the direction of an arrow. */
export function step(page: HTMLElement, key: string): void {
  const cards = [...page.querySelectorAll<HTMLElement>(".card")];
  if (!cards.includes(document.activeElement as HTMLElement)) return cards[0]?.focus();
  const from = document.activeElement!.getBoundingClientRect();
  const sideways = key === "ArrowLeft" || key === "ArrowRight";
  const sign = key === "ArrowLeft" || key === "ArrowUp" ? -1 : 1;
  if (sideways) return cards[cards.indexOf(document.activeElement as HTMLElement) + sign]?.focus();
  const far = (box: DOMRect) => sign * (box.top - from.top) * 4 + Math.abs(box.left - from.left);
  const beyond = cards.filter((card) => sign * (card.getBoundingClientRect().top - from.top) > 8);
  beyond.toSorted((a, b) => far(a.getBoundingClientRect()) - far(b.getBoundingClientRect()))[0]?.focus();
}
