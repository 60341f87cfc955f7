/** Parts of the page that are loaded when they are shown, as soon as the server answers. */

import { type ComponentType, lazy, type LazyExoticComponent } from "react";
import { addressOf } from "./api";
import { say } from "./store";

const AGAIN = 2_000;

/** Load a part when the server answers: browsers remember a part that did not come, and never ask for it again. */
export async function patiently<T>(load: () => Promise<T>): Promise<T> {
  while (!(await answers())) {
    say("a part of the page is still missing: the server does not answer");
    await new Promise((done) => setTimeout(done, AGAIN));
  }
  return load();
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
