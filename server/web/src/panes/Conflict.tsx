/** The file is another than the one that was read: both texts, and who gives way. Nothing is written before that is said. */

import { copyAway, type Open } from "../commands/files";
import type { Session } from "../document/session";
import { toDocument, usePage } from "../store";
import { compared } from "./compared";

export function Conflict({ session, open }: { session: Session; open: Open }) {
  const document = usePage((page) => page.document!);
  const { conflict } = document;
  if (!conflict) return null;
  const rows = compared(document.text, conflict.text.replaceAll("\r\n", "\n"));
  const takeTheirs = () => {
    session.replace(conflict.text);
    toDocument({ etag: conflict.etag, conflict: null });
  };
  return (
    <section className="conflict" role="region" aria-label="conflict">
      <p>
        <b>{document.path} was changed by another program.</b> Nothing is lost: your draft is kept, and so is the file.
      </p>
      <div className="tools">
        <button onClick={() => void session.save(conflict.etag)}>Save mine over it</button>
        <button onClick={takeTheirs}>Take the file's text</button>
        <button onClick={() => void copyAway(session, open)}>Keep mine as a copy</button>
        <button onClick={() => toDocument({ conflict: null })}>Later</button>
      </div>
      <table>
        <thead>
          <tr>
            <th>mine</th>
            <th>the file</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row, n) => (
            <tr key={n} className={row.same ? "" : "differs"}>
              <td>{row.mine}</td>
              <td>{row.theirs}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
