/** The last saves of a graph, and what has changed since each; going back to one can be undone. */

import { useEffect, useRef, useState } from "react";
import { encoded, get } from "../api";
import { say, tell, togglePane, usePage } from "../store";
import type { PaneProps } from "./panes";
import { useLoaded } from "../lazily";

type Comparing = typeof import("./comparing");

interface Save {
  time: number;
  text: string;
}

export function Saves({ session }: PaneProps) {
  const { path, text, etag } = usePage((page) => page.document!);
  const [saves, setSaves] = useState<readonly Save[] | null>(null);
  const [chosen, setChosen] = useState(0);
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!path.endsWith(".yaml")) return setSaves([]);
    get<Save[]>(`graphs/${encoded(path)}/saves`).then(setSaves, tell);
  }, [path, etag]);
  const save = saves?.[chosen];
  const show =
    save && (({ compare }: Comparing) => compare(place.current!, save.text, text, ["the save", "the text now"]));
  useLoaded(() => import("./comparing"), show ?? null, [save, text]);
  const goBack = () => {
    session.replace(save!.text);
    togglePane("text");
    say("this is the save again: Ctrl Z undoes it");
  };
  if (!saves) return <p className="runs quiet">reads the saves …</p>;
  if (!saves.length) return <p className="runs quiet">This graph was not saved yet: Ctrl S saves it.</p>;
  return (
    <div className="saves">
      <div>
        <h2>The last {saves.length === 1 ? "save" : `${saves.length} saves`}</h2>
        <ol>
          {saves.map((one, n) => (
            <li key={one.time}>
              <button aria-pressed={n === chosen} onClick={() => setChosen(n)}>
                {new Date(one.time * 1_000).toLocaleString()}
                <small>{one.text.replaceAll("\r\n", "\n") === text ? "the same as now" : ""}</small>
              </button>
            </li>
          ))}
        </ol>
        <button className="main" disabled={!session.mayWrite} onClick={goBack}>
          Go back to this
        </button>
      </div>
      <div className="changes">
        <div className="sides" aria-hidden="true">
          <span>the save</span>
          <span>the text now</span>
        </div>
        <div className="compared" ref={place} />
      </div>
    </div>
  );
}
