/** The text of the graph. What makes it pleasant to write is loaded when it is shown. */

import { StateEffect } from "@codemirror/state";
import { useEffect, useRef, useState } from "react";
import { mend } from "../commands/text";
import type { Session } from "../document/session";
import { usePage } from "../store";

type Setup = typeof import("./textSetup");
const furnished = new WeakSet<Session>();

export function TextPane({ session }: { session: Session }) {
  const place = useRef<HTMLDivElement>(null);
  const [setup, setSetup] = useState<Setup | null>(null);
  const diagnostics = usePage((page) => page.judged.diagnostics);
  useEffect(() => void import("./textSetup").then(setSetup), []);
  useEffect(() => {
    if (!setup || furnished.has(session)) return;
    furnished.add(session);
    session.view.dispatch({ effects: StateEffect.appendConfig.of(setup.textSetup) });
  }, [session, setup]);
  useEffect(() => {
    place.current?.append(session.view.dom);
    session.view.requestMeasure();
    return () => session.view.dom.remove();
  }, [session]);
  useEffect(
    () => setup?.underline(session.view, diagnostics, (fault) => mend(session, fault)),
    [session, setup, diagnostics],
  );
  return <div className="text" ref={place} />;
}
