"""Trainings that are told to end: a signal waits for the end of a step, so that what is saved is whole."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from nodegraph.runtime.cancel import cancel_point, cancelled

SIGNALS = [
    getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)
]
"""What tells a process to end. There is no SIGHUP, a terminal that closes, on Windows."""


@dataclass(slots=True)
class Stop:
    """What signals did before, and the one that came and was not acted upon. A second one does it at once."""

    before: dict[int, Any] = field(default_factory=dict[int, Any])
    came: int | None = None

    def note(self, number: int, frame: FrameType | None) -> None:
        """What a signal does while a step is made."""
        if self.came is None:
            self.came = number
        else:
            self.came = None
            self.act(number, frame)

    def wanted(self) -> bool:
        """Whether a signal came, or the run was cancelled."""
        return self.came is not None or cancelled()

    def point(self) -> None:
        """Where the training may end: what came does what it does elsewhere, and may let it go on.

        Raises Cancelled, or as the signal does.
        """
        cancel_point()
        number, self.came = self.came, None
        if number is not None:
            self.act(number, None)

    def act(self, number: int, frame: FrameType | None) -> None:
        """Do what a signal did before."""
        before = self.before[number]
        if callable(before):
            before(number, frame)
        else:
            signal.signal(number, before)
            os.kill(os.getpid(), number)


@contextmanager
def stopping() -> Iterator[Stop]:
    """Inside, signals that end a process wait for a `point`, in the main thread; other threads get none.

    Those that are ignored stay ignored, as of what runs behind a shell, or under nohup; those of other languages stay theirs.
    """
    stop = Stop()
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.getsignal(number) for number in SIGNALS}
        stop.before = {n: b for n, b in before.items() if b not in (None, signal.SIG_IGN)}
        for number in stop.before:
            signal.signal(number, stop.note)
    try:
        yield stop
    finally:
        for number, before in stop.before.items():
            signal.signal(number, before)
        # One that came after the last point would else have been for nothing.
        number, stop.came = stop.came, None
        if number is not None:
            stop.act(number, None)
