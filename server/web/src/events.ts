/** What happens at the server, as this page hears it. */

import { addressOf } from "./api";
import { join, type Told, type Wish } from "./hub";

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
  "job.moved",
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

/** Where events come from: a worker that the tabs share; where there is none, this page itself. */
function connected(): MessagePort {
  if ("SharedWorker" in window) return new SharedWorker(new URL("./hub.ts", import.meta.url), { type: "module" }).port;
  const { port1, port2 } = new MessageChannel();
  join(port1);
  return port2;
}

/** Listens for jobs and for one live document. */
export class Events {
  private readonly port = connected();
  private readonly listeners = new Set<Listener>();
  private readonly closing = new AbortController();

  constructor(
    private live: string,
    linked: (open: boolean) => void,
  ) {
    this.port.onmessage = ({ data }: MessageEvent<Told>) => {
      if ("open" in data) linked(data.open);
      else for (const listener of [...this.listeners]) listener({ name: data.name, data: JSON.parse(data.data) });
    };
    this.follow(live);
    const { signal } = this.closing;
    window.addEventListener("pagehide", () => this.wish(null), { signal });
    window.addEventListener("pageshow", () => this.follow(this.live), { signal });
  }

  private wish(wish: Wish): void {
    this.port.postMessage(wish);
  }

  on(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Listen for another live document from now on. */
  follow(live: string): void {
    this.live = live;
    this.wish({ at: new URL(addressOf("events"), document.baseURI).href, names: NAMES, live });
  }

  close(): void {
    this.closing.abort();
    this.wish(null);
    this.port.close();
  }
}
