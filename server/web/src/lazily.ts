/** Parts of the page that are loaded when they are shown, as soon as the server answers. */

import { type ComponentType, lazy, type LazyExoticComponent, useEffect } from "react";
import { addressOf } from "./api";
import { page, say } from "./store";

const AGAIN = 2_000;
const ONCE_IN = 60_000;
const REOPENED = "nodegraph.reopened";

/** Load a part when the server answers, and again where it went while the part was on its way. */
export async function patiently<T>(load: () => Promise<T>, tries = 3): Promise<T> {
  while (!(await answers())) {
    say("a part of the page is still missing: the server does not answer");
    await new Promise((done) => setTimeout(done, AGAIN));
  }
  return load().catch((fault) => {
    if (tries > 1) return patiently(load, tries - 1);
    if (!reopened()) throw fault;
    return new Promise<never>(() => {});
  });
}

/**
 * Open the page again, since a browser remembers that a module could not be had; false where that would lose what is not with
 * the server yet, or where it was done a minute ago.
 */
function reopened(): boolean {
  const { document, values, each } = page();
  const kept = !document || document.link === "written" || document.link === "reading";
  const typed = Object.keys({ ...values, ...each }).length > 0;
  if (!kept || typed || Date.now() - Number(sessionStorage.getItem(REOPENED)) < ONCE_IN) return false;
  sessionStorage.setItem(REOPENED, String(Date.now()));
  location.reload();
  return true;
}

/**
 * Show something by a part of the page that is loaded for it, anew when what it depends `on` changes; null: nothing.
 * `show` returns what ends it.
 */
export function useLoaded<T>(load: () => Promise<T>, show: ((part: T) => () => void) | null, on: unknown[]): void {
  useEffect(() => {
    if (!show) return;
    let end: (() => void) | null = null;
    let gone = false;
    void patiently(load).then(
      (part) => {
        if (!gone) end = show(part);
      },
      () => say("a part of the page could not be had; load the page again, drafts are kept"),
    );
    return () => {
      gone = true;
      end?.();
    };
  }, on);
}

const answers = () =>
  fetch(addressOf("health/live")).then(
    ({ ok }) => ok,
    () => false,
  );

/** A component that is loaded when it is first shown. */
export function lazily<P>(load: () => Promise<ComponentType<P>>): LazyExoticComponent<ComponentType<P>> {
  return lazy(async () => ({ default: await patiently(load) }));
}
