/** Every shortcut. */

const KEYS: readonly (readonly [string, string])[] = [
  ["Ctrl Enter", "run"],
  ["Shift Ctrl Enter", "run up to the selected node"],
  ["Esc", "close what is open; cancel the run"],
  ["Space or /", "add a node; so does a double click"],
  ["C", "wire the selected node to a port"],
  ["I", "wire something to a port of the selected node"],
  ["Enter", "to the form of the selected node"],
  ["T", "to its place in the text"],
  ["F2", "rename, in all that refers to it"],
  ["Delete", "remove; wires heal where types fit"],
  ["Ctrl D", "duplicate"],
  ["Ctrl Z, Shift Ctrl Z", "undo, redo: of text and canvas alike"],
  ["Ctrl S", "save the file"],
  ["Ctrl K", "all commands"],
  ["Tab, arrows", "to the next box; move it"],
  ["?", "this list"],
];

export function Help({ onClose }: { onClose: () => void }) {
  return (
    <div className="veil" onPointerDown={(event) => event.target === event.currentTarget && onClose()}>
      <div
        className="picker help"
        role="dialog"
        aria-label="shortcuts"
        tabIndex={-1}
        ref={(found) => found?.focus()}
        onKeyDown={(event) => event.key === "Escape" && onClose()}
      >
        <h2>Shortcuts</h2>
        <dl>
          {KEYS.map(([keys, deed]) => [
            <dt key={keys}>
              <kbd>{keys}</kbd>
            </dt>,
            <dd key={deed}>{deed}</dd>,
          ])}
        </dl>
      </div>
    </div>
  );
}
