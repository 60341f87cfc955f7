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

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@dataclass(slots=True)
class Stop:
    """Signals that came, and what they did before. A second one of a kind does it at once."""

    before: dict[int, Any] = field(default_factory=dict[int, Any])
    came: int | None = None

    def note(self, number: int, frame: FrameType | None) -> None:
        """What a signal does while a step is made."""
        if self.came is not None:
            self.act(number, frame)
        self.came = number

    def wanted(self) -> bool:
        """Whether a signal came, or the run was cancelled."""
        return self.came is not None or cancelled()

    def point(self) -> None:
        """Where the training may end: what came does what it does elsewhere. Raises Cancelled, or as the signal does."""
        cancel_point()
        if self.came is not None:
            self.act(self.came, None)

    def act(self, number: int, frame: FrameType | None) -> None:
        """Do what a signal did before."""
        before = self.before[number]
        signal.signal(number, before)
        if callable(before):
            before(number, frame)
        elif before == signal.SIG_DFL:
            os.kill(os.getpid(), number)


@contextmanager
def stopping() -> Iterator[Stop]:
    """Inside, SIGTERM and Ctrl-C wait for a `point`, in the main thread; other threads get no signals."""
    stop = Stop()
    if threading.current_thread() is threading.main_thread():
        stop.before = {number: signal.getsignal(number) for number in SIGNALS}
        for number in SIGNALS:
            signal.signal(number, stop.note)
    try:
        yield stop
    finally:
        for number, before in stop.before.items():
            signal.signal(number, before)
