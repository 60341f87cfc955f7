/** The stream of what happens at the server: one for the page, taken up again where it broke off. */

import { addressOf } from "./api";

export interface Happened {
  name: string;
  data: any;
}
type Listener = (happened: Happened) => void;

const NAMES = [
  "job.queued",
  "job.started",
  "job.running",
  "job.done",
  "job.failed",
  "job.cancelled",
  "job.interrupted",
  "job.removed",
  "node.planned",
  "node.started",
  "node.step",
  "node.cached",
  "node.finished",
  "node.failed",
  "node.warned",
  "node.loading",
  "node.downloading",
  "output",
  "metric",
  "live.update",
  "live.writer",
  "live.saved",
  "live.conflict",
  "catalogue",
];

/** Listens for jobs and for one live document; events carry rising numbers, so that none is lost on the way back. */
export class Events {
  private source: EventSource | null = null;
  private last = "";
  private readonly listeners = new Set<Listener>();

  constructor(
    private live: string,
    private readonly linked: (open: boolean) => void,
  ) {
    this.open();
  }

  private open(): void {
    const since = this.last ? `&since=${this.last}` : "";
    const source = new EventSource(addressOf(`events?live=${encodeURIComponent(this.live)}${since}`));
    this.source = source;
    source.onopen = () => this.linked(true);
    source.onerror = () => {
      this.linked(false);
      if (source.readyState === EventSource.CLOSED && this.source === source)
        setTimeout(() => this.source === source && this.open(), 2_000);
    };
    for (const name of NAMES) source.addEventListener(name, (event) => this.heard(name, event as MessageEvent));
  }

  private heard(name: string, event: MessageEvent): void {
    this.last = event.lastEventId;
    const data = JSON.parse(event.data);
    for (const listener of [...this.listeners]) listener({ name, data });
  }

  on(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Listen for another live document from now on. */
  follow(live: string): void {
    this.close();
    this.live = live;
    this.open();
  }

  close(): void {
    this.source?.close();
    this.source = null;
  }
}
