"""Progress in a notebook: what runs, how far it is and its preview, in one place that is written again; no widgets."""

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from nodegraph.base import markup
from nodegraph.runtime.events import (
    Cached,
    Completed,
    Event,
    Failed,
    Finished,
    Loaded,
    Started,
    Stepped,
)

PAUSE = 0.1
"""At least so many seconds lie between two pictures of a run."""


@dataclass(slots=True)
class Watch:
    """Shows how a run goes, or several in turn, where there is a notebook; elsewhere it does nothing.

    The place appears with the first step that a node shows, so that what is kept leaves no trace.
    """

    kernel: bool = field(default_factory=lambda: in_notebook())
    began: float = field(default_factory=lambda: time.monotonic())
    handle: Any = None
    shown: float = 0.0
    place: str = ""
    counts: dict[str, int] = field(default_factory=lambda: {"ran": 0, "kept": 0})

    def follow(self, events: Iterator[Event], title: str) -> Iterator[Event]:
        """The events of one run as they come."""
        ended = False
        try:
            for event in events:
                self.see(event, title)
                if isinstance(event, Completed):
                    ended = True
                    self.end(
                        f"{title}: {self.counts['ran']} nodes ran, {self.counts['kept']} were kept"
                    )
                yield event
        finally:
            if not ended:
                self.end(f"{title}: stopped at {self.place}")

    def see(self, event: Event, title: str) -> None:
        """Show what an event tells."""
        match event:
            case Stepped() if self.kernel:
                self._step(event, title)
            case Loaded(node) | Started(node) | Failed(node):
                self.place = node
            case Finished():
                self.counts["ran"] += 1
            case Cached():
                self.counts["kept"] += 1
            case _:
                pass

    def end(self, told: str) -> None:
        """Leave one line, with the seconds that it all took."""
        if self.handle is not None:
            self._show(markup.paragraph(f"{told}, {time.monotonic() - self.began:.1f} s"))

    def _step(self, event: Stepped, title: str) -> None:
        """Show a step, unless the last one was shown just now."""
        self.place = f"{event.node}, step {event.done} of {event.total}"
        now = time.monotonic()
        if self.handle is None or now - self.shown >= PAUSE:
            told = f"{title}: {self.place}" + (f", {event.note}" if event.note else "")
            self._show(markup.progress(event.done, event.total, told, event.image(), event.node))
            self.shown = now

    def _show(self, html: str) -> None:
        """Write the place again, or make it."""
        content = {"text/html": html, "text/plain": ""}
        if self.handle is None:
            display = import_module("IPython.display").display
            self.handle = display(content, raw=True, display_id=True)
        else:
            self.handle.update(content, raw=True)


def in_notebook() -> bool:
    """Whether this is the kernel of a notebook; IPython in a terminal is none."""
    python = sys.modules.get("IPython")
    shell = python.get_ipython() if python is not None else None
    return getattr(shell, "kernel", None) is not None
