"""Workers beside this process: shares go to whoever is free, and what a killed worker had not finished to another."""

import signal
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from tempfile import TemporaryDirectory

from nodegraph.base.codes import Code
from nodegraph.base.diagnostics import Cancelled, diagnostic
from nodegraph.base.partial import scratch
from nodegraph.base.paths import results_folder
from nodegraph.base.threads import shared_out
from nodegraph.executors.process import Heard, Task, Worker, started
from nodegraph.executors.share import Share
from nodegraph.executors.worker import Ended, Happened, Message, Place, Ready
from nodegraph.groups import Told
from nodegraph.sweep import Cell, Outcome

TRIES = 3
"""How often a cell may end the worker that runs it until it has failed."""
GRACE = 0.8
"""Seconds in which a worker that is cancelled may stop by itself; then it is killed."""
STILLBORN = 5
"""Workers that end by themselves before they begin, one after the other, until no more are started."""
HINT = "a process that needs more memory than there is is killed: let fewer run at a time"


@dataclass
class Processes:
    """So many workers, started when there is something to do. They keep what they have loaded until this is closed.

    Each has a card of its own where there are cards, else its part of the processor's cores. Raises ValueError for less
    than one.
    """

    count: int
    tries: int = TRIES
    grace: float = GRACE
    _workers: dict[int, Worker] = field(default_factory=dict[int, Worker])
    _heard: SimpleQueue[Heard | None] = field(default_factory=SimpleQueue[Heard | None])
    _again: deque[Task] = field(default_factory=deque[Task])
    _cancelled: bool = False
    _stillborn: int = 0
    _kept: ExitStack = field(default_factory=ExitStack)
    _parcels: Path | None = None

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"graphs run in one process at least, not in {self.count}")

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, shares: Iterable[Share]) -> Generator[Told]:
        """See `Executor`. Raises Unsendable for values of inputs, and RuntimeError where no worker begins."""
        todo = map(Task, shares)
        self._cancelled, self._stillborn = False, 0
        try:
            self._hand_out(todo)
            while self._busy():
                heard = self._heard.get()
                if self._cancelled:
                    raise Cancelled("the run was cancelled")
                if heard is not None:
                    yield from self._told(*heard)
                    self._hand_out(todo)
        except Cancelled:
            self._stop()
            raise
        finally:
            self._again.clear()
            for number in self._busy():
                self._workers.pop(number).kill()

    def cancel(self) -> None:
        """See `Executor`."""
        self._cancelled = True
        self._heard.put(None)

    def close(self) -> None:
        """See `Executor`. To run it again starts other workers."""
        while self._workers:
            self._workers.popitem()[1].kill()
        self._kept.close()
        self._parcels = None

    @property
    def pids(self) -> list[int]:
        """The process ids of the workers that have been started."""
        return [worker.process.pid for worker in list(self._workers.values())]

    def _busy(self) -> list[int]:
        """The numbers of the workers that have a share."""
        return [number for number, worker in self._workers.items() if worker.task is not None]

    def _hand_out(self, todo: Iterator[Task]) -> None:
        """Give each worker that has nothing to do the next share."""
        for number in range(self.count):
            worker = self._workers.get(number)
            if worker is None or worker.task is None:
                task = self._again.popleft() if self._again else next(todo, None)
                if task is None:
                    return
                if worker is None or worker.process.poll() is not None:
                    worker = self._workers[number] = self._started(number)
                worker.give(task)

    def _started(self, number: int) -> Worker:
        if self._parcels is None:
            self._parcels = _folder(self._kept)
        place = Place(number, self._parcels)
        return started(place, shared_out(self.count), self._heard)

    def _told(self, worker: Worker, message: Message | None) -> Iterator[Told]:
        """What a worker said, as it is told; of one that was given up nothing."""
        if worker not in self._workers.values():
            return
        match message:
            case None:
                yield from self._lost(worker)
            case Ready():
                worker.ready, self._stillborn = True, 0
            case Happened(index, event):
                cell = worker.cells[index]
                if worker.task is not None and isinstance(event, Outcome):
                    worker.task.done(cell)
                yield cell, event
            case Ended(refused):
                task, worker.task = worker.task, None
                if task is not None and refused:
                    yield from _failed(task.cells, f"a worker cannot read the inputs: {refused}")

    def _lost(self, worker: Worker) -> Iterator[Told]:
        """A worker has ended: what it had not finished is given to another, unless its cell has ended too many."""
        number = next(n for n, known in self._workers.items() if known is worker)
        del self._workers[number]
        worker.kill()
        task, code = worker.task, worker.process.returncode
        if not worker.ready and code >= 0:
            self._stillborn += 1
            if self._stillborn >= STILLBORN:
                raise RuntimeError(f"no worker begins: Python {_ended(code)}")
        elif task is not None and task.share.cells:
            task.deaths += 1
            if task.deaths >= self.tries - 1 and len(task.cells) > 1:
                self._again.extend(task.apart())
                return
            if task.deaths >= self.tries:
                cell = task.cells[0]
                message = f"the process that ran this {_ended(code)}, each of {task.deaths} times"
                yield from _failed([cell], message)
                task.done(cell)
        if task is not None and task.share.cells:
            self._again.append(task)

    def _stop(self) -> None:
        """Let the workers stop at their next steps; those that do not are killed."""
        until = time.monotonic() + self.grace
        for number in self._busy():
            self._workers[number].cancel()
        with suppress(Empty):
            while self._busy():
                heard = self._heard.get(timeout=max(0.0, until - time.monotonic()))
                if heard is not None and not isinstance(heard[1], Happened | Ready):
                    heard[0].task = None


def _failed(cells: Iterable[Cell], message: str) -> Iterator[Told]:
    for cell in cells:
        yield cell, Outcome(cell, 0.0, fault=diagnostic(Code.LOST_WORKER, message, hint=HINT))


def _ended(code: int) -> str:
    """How a process ended, by its exit code."""
    if code >= 0:
        return f"ended with code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"was killed ({name})"


def _folder(kept: ExitStack) -> Path:
    """A folder for parcels: beside the results, where it is swept if this process is killed, else where there is room."""
    try:
        return kept.enter_context(scratch(results_folder().absolute()))
    except OSError:
        return Path(kept.enter_context(TemporaryDirectory()))
