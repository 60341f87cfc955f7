"""Large texts are read one after the other: the threads of a server share one interpreter, and small requests go between."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from server.problems import Problem

LARGE = 2**16
"""Characters from which on a text waits for its turn; the largest shipped graph has a tenth of it."""
MOST = 4
"""Large texts that wait: each holds a thread of the server."""


@dataclass(slots=True)
class Turns:
    """Lets one large text be read at a time."""

    _one: threading.Lock = field(default_factory=threading.Lock)
    _room: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(MOST + 1))

    @contextmanager
    def of(self, *texts: str) -> Generator[None]:
        """Read texts inside; small ones at once. Raises Problem where too many wait."""
        if sum(map(len, texts)) < LARGE:
            yield
            return
        if not self._room.acquire(blocking=False):
            detail = "too many large texts wait for their turn; ask again"
            raise Problem(503, "busy", detail, {"retry-after": "2"})
        try:
            with self._one:
                yield
        finally:
            self._room.release()
