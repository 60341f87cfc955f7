"""Checks with shapes, and plans, in a process that stays warm; a newer check of a graph cancels the older one."""

import logging
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count

from nodegraph.base.workspace import Workspace
from server.jobs.process import Child, Died
from server.jobs.tasks import Task, Told
from server.problems import Problem

log = logging.getLogger("nodegraph.server")
SECONDS = 60.0
"""The longest that a check may take."""
MOST = 8
"""Requests that wait for their turn: each holds a thread of the server."""
PATHS = 1_000
"""Graphs of which the newest check is known."""


class Superseded(Problem):
    """A check that a newer one of the same graph made useless."""

    def __init__(self) -> None:
        super().__init__(409, "superseded", "a newer check of this graph was asked for")


@dataclass(slots=True)
class Checker:
    """One process; requests wait for each other, but for those that are no longer wanted."""

    workspace: Workspace
    folder: str
    most: int = MOST
    _turn: threading.Condition = field(default_factory=threading.Condition)
    _busy: bool = False
    _waiting: int = 0
    _numbers: Iterator[int] = field(default_factory=count)
    _newest: dict[str, int] = field(default_factory=dict[str, int])
    _current: str | None = None
    _child: Child = field(init=False)

    def __post_init__(self) -> None:
        self._child = Child(self.workspace, self.folder, grace=1.0)

    def start(self) -> None:
        """Start the process before the first request."""
        self._child.start()

    def ask(self, task: Task, path: str = "", number: int | None = None) -> Told:
        """What a task tells last; `number`: that under which it was announced before.

        Raises Superseded where a newer one of the same path came, Problem where it died, or too many wait.
        """
        mine = self.announce(path) if number is None else number

        def unwanted() -> bool:
            return bool(path) and self._newest.get(path) != mine

        with self._in_turn(path, unwanted):
            try:
                told = list(self._heard(task, unwanted))
            except Died as error:
                if unwanted():
                    raise Superseded from None
                detail = f"the check was not made: {error}; ask again"
                raise Problem(503, "checker-died", detail) from None
        if not told or told[-1]["event"] == "cancelled":
            raise Superseded
        return told[-1]

    def _heard(self, task: Task, unwanted: Callable[[], bool]) -> Iterator[Told]:
        """What a task tells; what nodes print on shapes is nobody's, and errors of the program go to the log."""
        for told in self._child.do(task, SECONDS, unwanted):
            if told["event"] == "trace":
                log.error("a check: an error of the program\n%s", told["text"])
            elif told["event"] != "printed":
                yield told

    def announce(self, path: str) -> int:
        """Note that there is a newer request of a path, and cancel the one that goes on; the number of the newer."""
        with self._turn:
            mine = self._newest[path] = next(self._numbers)
            while len(self._newest) > PATHS:
                del self._newest[next(iter(self._newest))]
            self._turn.notify_all()
        if path and self._current == path:
            self._child.cancel()
        return mine

    @contextmanager
    def _in_turn(self, path: str, unwanted: Callable[[], bool]) -> Generator[None]:
        """One after the other. Who is not wanted any more leaves at once; one too many is refused."""
        with self._turn:
            if self._waiting >= self.most:
                detail = "too many checks wait for their turn; ask again"
                raise Problem(503, "checker-busy", detail, {"retry-after": "1"})
            self._waiting += 1
            self._turn.wait_for(lambda: unwanted() or not self._busy)
            self._waiting -= 1
            if unwanted():
                raise Superseded
            self._busy, self._current = True, path
        try:
            yield
        finally:
            with self._turn:
                self._busy, self._current = False, None
                self._turn.notify_all()

    def stop(self) -> None:
        """End the process."""
        self._child.stop()
