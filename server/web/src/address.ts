/** What the page shows is in its address: `#/glide/inpaint`, with `?app` its inputs and outputs alone, and `#/start`. */

export interface Address {
  view: "editor" | "app" | "start";
  /** Of the graph; empty where none is named. */
  path: string;
}

export function readAddress(hash: string): Address {
  const [named = "", view] = hash.replace(/^#\/?/, "").split("?");
  if (named === "start") return { view: "start", path: "" };
  return { view: view === "app" ? "app" : "editor", path: decoded(named) };
}

export function hashOf(path: string, view: Address["view"] = "editor"): string {
  return `#/${path.split("/").map(encodeURIComponent).join("/")}${view === "app" ? "?app" : ""}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const RECENT = "nodegraph.recent";
const MOST = 24;

/** Graphs that were open, the last one first. */
export function recents(): string[] {
  const found: unknown = JSON.parse(localStorage.getItem(RECENT) ?? "[]");
  return Array.isArray(found) ? found.filter((one) => typeof one === "string") : [];
}

/** Note that a graph was opened; `false` where there is none any more. */
export function noteRecent(path: string, there = true): void {
  const others = recents().filter((one) => one !== path);
  localStorage.setItem(RECENT, JSON.stringify((there ? [path, ...others] : others).slice(0, MOST)));
}
