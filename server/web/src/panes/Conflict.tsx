/** The file is another than the one that was read: both texts, and who gives way. Nothing is written before that is said. */

import { useRef, useState } from "react";
import { draftOf, type Session } from "../document/session";
import { say, tell, type Theirs, toDocument, usePage } from "../store";
import { useLoaded } from "../lazily";

export function Conflict({ session, theirs }: { session: Session; theirs: Theirs }) {
  const path = usePage((page) => page.document!.path);
  const place = useRef<HTMLDivElement>(null);
  const [busy, setBusy] = useState(false);
  useLoaded(
    () => import("./comparing"),
    ({ mergeInto }) => mergeInto(session, place.current!, theirs.text),
    [session, theirs],
  );
  const deed = (what: () => Promise<unknown>) => () => {
    setBusy(true);
    void what()
      .catch(tell)
      .finally(() => setBusy(false));
  };
  const keepBoth = async () => {
    const copy = await draftOf(path, session.text);
    await session.takeTheirs(theirs);
    say(`yours is kept as ${copy}`);
  };
  return (
    <section className="below conflict" role="region" aria-label="conflict">
      <header>
        <p role="status">
          <b>{path} was changed by another program.</b> Nothing is written before you say what: → takes lines of the
          file over, and your side can be written in.
        </p>
        <button disabled={busy} onClick={deed(() => session.save(theirs.etag))}>
          Save mine over it
        </button>
        <button disabled={busy} onClick={deed(() => session.takeTheirs(theirs))}>
          Take the file's text
        </button>
        <button disabled={busy} onClick={deed(keepBoth)}>
          Keep both
        </button>
        <button onClick={() => toDocument({ conflict: null })}>Later</button>
      </header>
      <div className="sides" aria-hidden="true">
        <span>the file</span>
        <span>your draft</span>
      </div>
      <div className="compared" ref={place} />
    </section>
  );
}
