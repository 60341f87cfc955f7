/**
 * One stream of events for all tabs: a worker that they share. A browser opens six connections to a host at most, and a
 * stream for each tab would leave none to save by.
 */

/** What a tab wants: the stream's address, the names of its events, and the document it follows; null when it goes. */
export type Wish = { at: string; names: readonly string[]; live: string } | null;
/** What tabs are told: whether the stream is there, or an event. */
export type Told = { open: boolean } | { name: string; data: string };

const tabs = new Map<MessagePort, NonNullable<Wish>>();
let source: EventSource | null = null;
let following = "";
let last = "";

/** Take a tab in. */
export function join(port: MessagePort): void {
  port.onmessage = ({ data }: MessageEvent<Wish>) => {
    if (data) tabs.set(port, data);
    else tabs.delete(port);
    if (wanted() !== following || source?.readyState === EventSource.CLOSED) listen();
    else if (data && source?.readyState === EventSource.OPEN) port.postMessage({ open: true } satisfies Told);
  };
}

/** The address of what all tabs together want; empty where there is none. */
function wanted(): string {
  const all = [...tabs.values()];
  const live = [...new Set(all.map((one) => one.live).filter(Boolean))].sort().join(",");
  return all.length ? `${all[0]!.at}?live=${encodeURIComponent(live)}` : "";
}

/** Open the stream anew; events carry rising numbers, so that none is lost on the way. */
function listen(): void {
  source?.close();
  following = wanted();
  if (!following) return void (source = null);
  const mine = new EventSource(following + (last && `&since=${last}`));
  source = mine;
  mine.onopen = () => tell({ open: true });
  mine.onerror = () => {
    tell({ open: false });
    if (mine.readyState === EventSource.CLOSED) setTimeout(() => source === mine && listen(), 2_000);
  };
  for (const name of [...tabs.values()][0]!.names)
    mine.addEventListener(name, ({ data, lastEventId }: MessageEvent<string>) => {
      last = lastEventId;
      tell({ name, data });
    });
}

function tell(told: Told): void {
  for (const port of tabs.keys()) port.postMessage(told);
}

// In a page nobody connects.
(self as { onconnect?: (event: MessageEvent) => void }).onconnect = (event) => join(event.ports[0]!);
