"""Workers, wherever they are: shares go to whoever is free, and what a lost worker had not finished to another."""

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Self

from nodegraph.base.codes import Code
from nodegraph.base.diagnostics import Cancelled, diagnostic
from nodegraph.executors.share import Share
from nodegraph.executors.tasks import Heard, Task, Worker
from nodegraph.executors.worker import Ended, Happened, Message, Ready, parcels
from nodegraph.groups import Told
from nodegraph.runtime.remote import SETTLING
from nodegraph.sweep import Cell, Outcome

TRIES = 3
"""How often a cell may end the worker that runs it until it has failed."""
GRACE = 0.8
"""Seconds in which a worker that is cancelled may stop by itself; then it is killed."""
STILLBORN = 5
"""Workers that end by themselves before they begin, one after the other, until no more are started in their place."""
AT_ONCE = 256
"""Events that are taken in before they are told."""
HINT = "a process that needs more memory than there is is killed: let fewer run at a time"


@dataclass
class Pool(ABC):
    """An Executor of workers. They are started when there is something to do, and keep what they have loaded until this is
    closed. `count`: how many there are to be.
    """

    count: int
    tries: int = TRIES
    grace: float = GRACE
    heard: SimpleQueue[Heard | None] = field(default_factory=SimpleQueue[Heard | None])
    _workers: dict[int, Worker] = field(default_factory=dict[int, Worker])
    _again: deque[Task] = field(default_factory=deque[Task])
    _cancelled: bool = False
    _stillborn: dict[int, int] = field(default_factory=dict[int, int])
    _shared: bool = False
    """Whether there is a cache that machines share."""
    _kept: ExitStack = field(default_factory=ExitStack)
    _parcels: Path | None = None

    @abstractmethod
    def started(self, number: int) -> Worker:
        """Start a worker, whose messages are put into `heard`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, shares: Iterable[Share]) -> Generator[Told]:
        """See `Executor`. Raises Unsendable for values of inputs, and RuntimeError where no worker begins."""
        todo = map(self._task, shares)
        self._cancelled, self._shared = False, False
        self._stillborn.clear()
        try:
            self.hand_out(todo)
            while self._busy() or self._again:
                events = self._heard(todo)
                if self._cancelled:
                    raise Cancelled("the run was cancelled")
                yield from events
            self._settle()
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
        self.heard.put(None)

    def close(self) -> None:
        """See `Executor`. To run it again starts other workers."""
        while self._workers:
            self._workers.popitem()[1].kill()
        self._kept.close()
        self._parcels = None

    @property
    def pids(self) -> list[int]:
        """The process ids of the workers that have been started."""
        return [worker.pid for worker in list(self._workers.values())]

    @property
    def parcels(self) -> Path:
        """Where what comes out of the cells is laid on this machine."""
        if self._parcels is None:
            self._parcels = parcels(self._kept)
        return self._parcels

    def next_heard(self) -> Heard | None:
        """What a worker tells next; None where the run was cancelled."""
        return self.heard.get()

    def hand_out(self, todo: Iterator[Task]) -> None:
        """Give each worker that has nothing to do the next share."""
        for number in range(self.count):
            worker = self._workers.get(number)
            if self._stillborn.get(number, 0) >= STILLBORN:
                continue
            if worker is not None and (worker.task is not None or not worker.willing):
                continue
            task = self._again.popleft() if self._again else next(todo, None)
            if task is None:
                return
            if worker is None or not worker.alive:
                worker = self._workers[number] = self.started(number)
            if worker.willing:
                worker.give(task)
            else:
                self._again.appendleft(task)

    def _heard(self, todo: Iterator[Task]) -> list[Told]:
        """What there is to tell, when there is something. Who has finished has its next share before anybody is told."""
        events: list[Told] = []
        heard = self.next_heard()
        while not self._cancelled:
            events += self._told(*heard) if heard is not None else ()
            self.hand_out(todo)
            if self.heard.empty() or len(events) >= AT_ONCE:
                break
            heard = self.heard.get()
        return events

    def _task(self, share: Share) -> Task:
        self._shared |= any(job.options.cache is not None for _, job in share.cells)
        return Task(share)

    def _busy(self) -> list[int]:
        """The numbers of the workers that have a share."""
        return [number for number, worker in self._workers.items() if worker.task is not None]

    def _number(self, worker: Worker) -> int:
        return next(number for number, known in self._workers.items() if known is worker)

    def _told(self, worker: Worker, message: Message | None) -> Iterator[Told]:
        """What a worker said, as it is told; of one that was given up nothing."""
        if worker not in self._workers.values():
            return
        match message:
            case None:
                yield from self._lost(worker)
            case Ready(pid):
                worker.ready, worker.pid = True, pid
                self._stillborn.pop(self._number(worker), None)
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
        number = self._number(worker)
        del self._workers[number]
        worker.kill()
        task, ending = worker.task, worker.ended()
        if not worker.ready and ending.by_itself:
            times = self._stillborn[number] = self._stillborn.get(number, 0) + 1
            if times >= STILLBORN and not any(w.ready for w in self._workers.values()):
                raise RuntimeError(f"no worker begins: its process {ending.words}")
        elif task is not None and task.share.cells:
            task.deaths += 1
            if task.deaths >= self.tries - 1 and len(task.cells) > 1:
                self._again.extend(task.apart())
                return
            if task.deaths >= self.tries:
                cell = task.cells[0]
                times = f"each of {task.deaths} times"
                yield from _failed([cell], f"the process that ran this {ending.words}, {times}")
                task.done(cell)
        if task is not None and task.share.cells:
            self._again.append(task)

    def _stop(self) -> None:
        """Let the workers stop at their next steps; those that do not are killed."""
        for number in self._busy():
            self._workers[number].cancel()
        for worker in self._until(self.grace, self._busy):
            worker.task = None

    def _settle(self) -> None:
        """Let the workers write what is still to go to a cache that machines share."""
        left = {w for w in self._workers.values() if self._shared and w.alive and w.ready}
        for worker in left:
            worker.settle()
        for worker in self._until(SETTLING, lambda: left):
            left.discard(worker)

    def _until(self, seconds: float, waiting: Callable[[], object]) -> Iterator[Worker]:
        """The workers that come to the end of what they do, or of themselves, while somebody is waited for."""
        until = time.monotonic() + seconds
        with suppress(Empty):
            while waiting():
                heard = self.heard.get(timeout=max(0.0, until - time.monotonic()))
                if heard is not None and not isinstance(heard[1], Happened | Ready):
                    yield heard[0]


def _failed(cells: Iterable[Cell], message: str) -> Iterator[Told]:
    for cell in cells:
        yield cell, Outcome(cell, 0.0, fault=diagnostic(Code.LOST_WORKER, message, hint=HINT))
