/** Something over the page, until Esc or a press beside it. */

interface OverProps extends React.ComponentProps<"div"> {
  title: string;
  onClose: () => void;
}

export function Over({ title, onClose, className = "", ...more }: OverProps) {
  const key = (event: React.KeyboardEvent) => {
    event.stopPropagation();
    if (event.key === "Escape") onClose();
  };
  return (
    <div className="veil" onPointerDown={(event) => event.target === event.currentTarget && onClose()}>
      <div className={`picker ${className}`} role="dialog" aria-label={title} onKeyDown={key} {...more} />
    </div>
  );
}
