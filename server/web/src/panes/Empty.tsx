/** What stands on the canvas of a graph without nodes: the first step. */

import { adding } from "../commands/adding";
import { beginFrom } from "../commands/keeping";
import { tell, usePage } from "../store";
import type { PaneProps } from "./panes";

export function Empty({ session, open }: PaneProps) {
  const empty = usePage((page) => page.document!.readable && page.document!.read.graph.nodes.size === 0);
  if (!empty) return null;
  return (
    <section className="empty" aria-label="first step">
      <h2>An empty graph</h2>
      <p>
        Add a node, then let go of a wire over nothing: what fits is offered. To change one that works is quicker: take
        a copy of it.
      </p>
      <span className="tools">
        <button className="main" onClick={() => void adding(session)}>
          Add a node
        </button>
        <button onClick={() => void beginFrom(open).catch(tell)}>Take a copy of …</button>
      </span>
      <p>
        <kbd>Space</kbd> adds, <kbd>C</kbd> and <kbd>I</kbd> wire, <kbd>?</kbd> says the rest.
      </p>
    </section>
  );
}
