"""Cancelling a run from another thread: the run stops at the next step of a sampler, the next node, or within a load."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from nodegraph.errors import Cancelled


@dataclass(slots=True)
class CancelToken:
    """Set from any thread."""

    _flag: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        self._flag.set()

    def check(self) -> None:
        """Raises Cancelled if the run is to stop."""
        if self._flag.is_set():
            raise Cancelled("the run was cancelled")


_current: ContextVar[CancelToken | None] = ContextVar("cancel token", default=None)


@contextmanager
def cancellable(token: CancelToken) -> Generator[None]:
    """What runs inside is stopped by the token at its cancel points."""
    before = _current.set(token)
    try:
        yield
    finally:
        _current.reset(before)


def cancel_point() -> None:
    """A place where long work that is no generator may stop. Raises Cancelled; outside a run it does nothing."""
    token = _current.get()
    if token is not None:
        token.check()
