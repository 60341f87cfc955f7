"""Cancelling a run from another thread: the run stops at the next step of a sampler, the next node, or within a load."""

import threading
from contextvars import ContextVar, Token
from dataclasses import dataclass, field

from nodegraph.base.diagnostics import Cancelled


@dataclass(slots=True)
class CancelToken:
    """Set from any thread."""

    _flag: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        self._flag.set()

    @property
    def cancelled(self) -> bool:
        return self._flag.is_set()

    def check(self) -> None:
        """Raises Cancelled if the run is to stop."""
        if self._flag.is_set():
            raise Cancelled("the run was cancelled")


_current: ContextVar[CancelToken | None] = ContextVar("cancel token", default=None)


def cancellable(token: CancelToken) -> "_Cancellable":
    """What runs inside is stopped by the token at its cancel points."""
    return _Cancellable(token)


@dataclass(slots=True)
class _Cancellable:
    token: CancelToken
    _before: Token[CancelToken | None] | None = None

    def __enter__(self) -> None:
        self._before = _current.set(self.token)

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            _current.reset(self._before)


def cancel_point() -> None:
    """A place where long work that is no generator may stop. Raises Cancelled; outside a run it does nothing."""
    token = _current.get()
    if token is not None:
        token.check()


def cancelled() -> bool:
    """Whether the run is to stop, for work that has to end first what it is at."""
    token = _current.get()
    return token is not None and token.cancelled
