/** The text of the graph. What shows it is loaded when it is to be seen; the document does without. */

import { useEffect, useRef, useState } from "react";
import type { EditorView } from "@codemirror/view";
import { mend } from "../commands/text";
import type { Session } from "../document/session";
import { usePage } from "../store";
import { useLoaded } from "../lazily";

type Setup = typeof import("./textSetup");

export function TextPane({ session }: { session: Session }) {
  const place = useRef<HTMLDivElement>(null);
  const [shown, setShown] = useState<{ view: EditorView; setup: Setup } | null>(null);
  const diagnostics = usePage((page) => page.judged.diagnostics);
  const show = (setup: Setup) => {
    const view = setup.attached(session, place.current!);
    setShown({ view, setup });
    return () => {
      view.destroy();
      session.detach();
    };
  };
  useLoaded(() => import("./textSetup"), show, [session]);
  useEffect(
    () => shown?.setup.underline(shown.view, diagnostics, (fault) => mend(session, fault)),
    [session, shown, diagnostics],
  );
  return <div className="text" ref={place} />;
}
