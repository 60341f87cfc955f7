"""A worker: a process that does tasks, keeps its models loaded between them, and ends when its parent does.

Tasks come on its standard input, and what happens goes to its standard output; what nodes print goes to standard error.
"""

import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, NoReturn, Protocol

from nodegraph.base.codes import Code
from nodegraph.base.diagnostics import Cancelled, diagnostic
from nodegraph.base.partial import scratch
from nodegraph.base.paths import results_folder
from nodegraph.executors.share import Share, without_values
from nodegraph.groups import run_group
from nodegraph.runtime.cancel import CancelToken
from nodegraph.runtime.events import Event
from nodegraph.runtime.parcel import parcel
from nodegraph.runtime.recorded import Recorded
from nodegraph.session import Job, Session, chosen_device, registry
from nodegraph.sweep import Outcome, written

COMMAND = ("-P", "-c", "from nodegraph.executors.worker import main; main()")
"""Arguments of Python."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which of the workers this is, from 0, and where it lays what comes out of its cells."""

    number: int
    parcels: Path


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker has begun, as a process of this number."""

    pid: int


@dataclass(frozen=True, slots=True)
class Happened:
    """What happened in one of the cells of the share."""

    index: int
    event: Event | Outcome


@dataclass(frozen=True, slots=True)
class Ended:
    """The task is done, or was cancelled. `refused`: it could not be read here, and why."""

    refused: str = ""


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop the task at hand."""


Message = Ready | Happened | Ended
"""What a worker tells that runs the cells of a share."""


class Doing(Protocol):
    """What a worker is given, pickled: called with its session, it tells what happens. Raises Cancelled."""

    def __call__(self, session: Session, place: Place, token: CancelToken) -> Iterator[Any]: ...


@dataclass(frozen=True, slots=True)
class Cells:
    """Runs the cells of a share, and tells what Happened in each."""

    share: Share

    def __call__(self, session: Session, place: Place, token: CancelToken) -> Iterator[Happened]:
        return run_share(session, self.share, place, token)


@dataclass(frozen=True, slots=True)
class Settle:
    """Waits until caches that machines share have what was made here."""

    def __call__(self, session: Session, place: Place, token: CancelToken) -> Iterator[Any]:
        session.settle()
        yield from ()


@dataclass(slots=True)
class Inbox:
    """What comes from the parent, heard on a thread of its own while the worker works."""

    stream: BinaryIO
    waiting: SimpleQueue[tuple[bytes, CancelToken]] = field(
        default_factory=SimpleQueue[tuple[bytes, CancelToken]]
    )

    def listen(self) -> NoReturn:
        """Take tasks in, and cancel the last; a parent that has hung up, or died, ends the process at once."""
        token = CancelToken()
        try:
            while True:
                told = pickle.load(self.stream)
                if isinstance(told, Cancel):
                    token.cancel()
                else:
                    token = CancelToken()
                    self.waiting.put((told, token))
        finally:
            if os.getpgrp() == os.getpid():
                os.killpg(os.getpid(), signal.SIGKILL)  # with what it began
            os._exit(1)


def main() -> None:
    """The life of a worker."""
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C goes to all; the parent says what it means
    orders, told = _streams()
    place: Place = pickle.load(orders)
    inbox = Inbox(orders)
    threading.Thread(target=inbox.listen, daemon=True).start()
    work(inbox.waiting, place, partial(_tell, told))


def work(
    tasks: SimpleQueue[tuple[bytes, CancelToken]], place: Place, tell: Callable[[Any], None]
) -> NoReturn:
    """Do the tasks of a queue, one after the other, in one session, and tell what happens."""
    session = Session()
    tell(Ready(os.getpid()))
    while True:
        packed, token = tasks.get()
        try:
            task: Doing = pickle.loads(packed)
        except Exception as error:
            tell(Ended(f"{type(error).__name__}: {error}"))
            continue
        with suppress(Cancelled):
            for happened in task(session, place, token):
                tell(happened)
        tell(Ended())


def _streams() -> tuple[BinaryIO, BinaryIO]:
    """The pipes from and to the parent; nobody else reads or writes them any more."""
    orders, told = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    return orders, told


def _tell(stream: BinaryIO, told: Any) -> None:
    pickle.dump(told, stream)
    stream.flush()


def parcels(kept: ExitStack) -> Path:
    """A folder for parcels: beside the results, where it is swept if this process is killed, else where there is room."""
    try:
        return kept.enter_context(scratch(results_folder().absolute()))
    except OSError:
        return Path(kept.enter_context(TemporaryDirectory()))


def run_share(
    session: Session, share: Share, place: Place, token: CancelToken
) -> Iterator[Happened]:
    """Run the cells of a share; what goes wrong with it is the Outcome of each that has none. Raises Cancelled."""
    index = {cell.number: n for n, (cell, _) in enumerate(share.cells)}
    started, open_cells = time.perf_counter(), dict(index)
    try:
        found = fresh(session, share)
        cells = [(cell, _placed(share.opened, job, place)) for cell, job in share.cells]
        for cell, event in run_group(found, share.opened, cells, token):
            if isinstance(event, Outcome):
                del open_cells[cell.number]
                for told in laid_down(event, found, place, share.write):
                    yield Happened(index[cell.number], told)
            else:
                yield Happened(index[cell.number], without_values(event))
    except Cancelled:
        raise
    except Exception as error:
        fault = diagnostic(Code.LOST_WORKER, f"{type(error).__name__}: {error}")
        for n in open_cells.values():
            seconds = time.perf_counter() - started
            yield Happened(n, Outcome(share.cells[n][0], seconds, fault=fault))


def fresh(session: Session, share: Share) -> Session:
    """The session with the node files of a share as they are now. Raises NoNodes, RuntimeError for others than are meant."""
    found = replace(session, registry=registry(share.workspace))
    if share.code and found.registry.code != share.code:
        raise RuntimeError("the nodes are not those that this was begun with; begin again")
    return found


def laid_down(
    outcome: Outcome, session: Session, place: Place, write: bool
) -> Iterator[Event | Outcome]:
    """The outcome for another process, which finds what came out in files, if they are to be written, or in a parcel."""
    if outcome.prepared is None:
        yield outcome
    elif write:
        for told in written(session, outcome):
            done = isinstance(told, Outcome)
            yield replace(told, outputs={}, prepared=None) if done else told
    else:
        program = outcome.prepared.program
        sent = parcel(program, session.registry, outcome.outputs, place.parcels)
        yield replace(outcome, outputs={}, prepared=None, parcel=sent)


def _placed(opened: Recorded, job: Job, place: Place) -> Job:
    """A job with its device; of several cards, where no number is said, each worker takes its own. Raises NoDevice."""
    device = chosen_device(opened, job.options)
    if device == "cuda":
        from nodegraph.base.tensors import cards

        device = f"cuda:{place.number % cards()}"
    return replace(job, options=replace(job.options, device=device))
