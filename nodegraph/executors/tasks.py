"""What is handed out, and to whom: shares on their way, and a worker as its parent sees it."""

import pickle
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from nodegraph.base.diagnostics import Unusable
from nodegraph.executors.share import Share
from nodegraph.executors.worker import Cancel, Cells, Settle
from nodegraph.sweep import Cell


class NoPlace(Unusable):
    """What is named is no place to run graphs, or none that answers."""


class Unsendable(ValueError):
    """A value of an input cannot be sent to another process."""


@dataclass(slots=True)
class Task:
    """A share on its way: the cells that have no outcome yet, and how many workers have ended over the first of them."""

    share: Share
    deaths: int = 0

    @property
    def cells(self) -> list[Cell]:
        """Those that have no outcome yet, the one at hand first."""
        return [cell for cell, _ in self.share.cells]

    def apart(self) -> "Iterator[Task]":
        """A task of each of the cells, which may fit into memory where all of them do not."""
        return (Task(replace(self.share, cells=(one,))) for one in self.share.cells)

    def done(self, cell: Cell) -> None:
        """A cell has its outcome."""
        rest = tuple(one for one in self.share.cells if one[0] is not cell)
        self.share, self.deaths = replace(self.share, cells=rest), 0


@dataclass(eq=False, kw_only=True)
class Worker(ABC):
    """A process that runs shares. What comes from it is put into a queue, None when it has ended.

    `ready`: it has begun. `cells`: those of the share as it was given.
    """

    pid: int = 0
    ready: bool = False
    task: Task | None = None
    cells: list[Cell] = field(default_factory=list[Cell])

    def give(self, task: Task) -> None:
        """Give it a share. Raises Unsendable."""
        try:
            packed = pickle.dumps(Cells(task.share))
        except Exception as error:
            values = "a value of an input cannot be sent to another process"
            raise Unsendable(f"{values}: {error}; run it here") from error
        self.task, self.cells = task, task.cells
        self.send(packed)

    def settle(self) -> None:
        """Let it write what is still to be written to caches that machines share; it says when it has."""
        self.send(pickle.dumps(Settle()))

    def cancel(self) -> None:
        """Let it stop at the next step; it says when it has."""
        self.send(Cancel())

    def printed(self, most: int) -> bytes:
        """What it has printed since this was asked last, `most` bytes or a little more; nothing where it is not heard."""
        return b""

    @property
    def willing(self) -> bool:
        """Whether it can be given a share."""
        return True

    @property
    @abstractmethod
    def alive(self) -> bool:
        """Whether it has not ended, as far as is known."""

    @abstractmethod
    def send(self, message: Any) -> None:
        """Send something. To one that has ended nothing is sent; that it has ended is heard."""

    @abstractmethod
    def kill(self) -> None:
        """End it with all that it began, whatever they do."""

    @abstractmethod
    def ended(self) -> "Ending":
        """How one that has ended did."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a worker ended, in words that go on after its name; whether nobody killed it, and whether that was outright: by
    somebody or for want of memory.
    """

    words: str
    by_itself: bool
    killed: bool = False


Heard = tuple[Worker, Any]
"""What a worker tells; None when it has ended."""
