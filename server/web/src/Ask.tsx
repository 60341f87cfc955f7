/** A short question with a line to type. */

import { useState } from "react";

export function Ask({
  title,
  initial,
  onDone,
  onClose,
}: {
  title: string;
  initial: string;
  onDone: (typed: string) => void;
  onClose: () => void;
}) {
  const [typed, setTyped] = useState(initial);
  return (
    <div className="veil" onPointerDown={(event) => event.target === event.currentTarget && onClose()}>
      <form
        className="picker"
        role="dialog"
        aria-label={title}
        onSubmit={(event) => {
          event.preventDefault();
          if (typed.trim()) onDone(typed.trim());
        }}
        onKeyDown={(event) => {
          event.stopPropagation();
          if (event.key === "Escape") onClose();
        }}
      >
        <div className="ask">
          <input
            autoFocus
            aria-label={title}
            value={typed}
            onFocus={(event) => event.target.select()}
            onChange={(event) => setTyped(event.target.value)}
          />
          <button>OK</button>
        </div>
      </form>
    </div>
  );
}
