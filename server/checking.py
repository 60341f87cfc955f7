"""Checks with shapes, and plans, in a process that stays warm; a newer check of a graph cancels the older one."""

import threading
from dataclasses import dataclass, field

from nodegraph.base.workspace import Workspace
from server.jobs.process import Child, Died
from server.jobs.tasks import Task, Told
from server.problems import Problem

SECONDS = 60.0
"""The longest that a check may take."""


class Superseded(Problem):
    """A check that a newer one of the same graph made useless."""

    def __init__(self) -> None:
        super().__init__(409, "superseded", "a newer check of this graph was asked for")


@dataclass(slots=True)
class Checker:
    """One process; requests wait for each other, but for those that are no longer wanted."""

    workspace: Workspace
    folder: str
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _newest: dict[str, int] = field(default_factory=dict[str, int])
    _current: str | None = None
    _child: Child = field(init=False)

    def __post_init__(self) -> None:
        self._child = Child(self.workspace, self.folder, grace=1.0)

    def start(self) -> None:
        """Start the process before the first request."""
        self._child.start()

    def ask(self, task: Task, path: str = "") -> Told:
        """What a task tells last. Raises Superseded where a newer one of the same path came, Problem where it died."""
        mine = self._announce(path)
        with self._lock:
            if path and self._newest.get(path) != mine:
                raise Superseded
            self._current = path
            try:
                told = [*self._child.do(task, SECONDS)]
            except Died as error:
                raise self._died(path, mine, error) from None
            finally:
                self._current = None
                if self._newest.get(path) == mine:
                    del self._newest[path]
        if not told or told[-1]["event"] == "cancelled":
            raise Superseded
        return told[-1]

    def _announce(self, path: str) -> int:
        """Note that there is a newer request of a path, and cancel the one that goes on."""
        mine = self._newest[path] = self._newest.get(path, 0) + 1
        if path and self._current == path:
            self._child.cancel()
        return mine

    def _died(self, path: str, mine: int, error: Died) -> Problem:
        if path and self._newest.get(path) != mine:
            return Superseded()
        return Problem(503, "checker-died", f"the check was not made: {error}; ask again")

    def stop(self) -> None:
        """End the process."""
        self._child.stop()
