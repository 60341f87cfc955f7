"""A worker seen from its parent: a process, the pipes to it, and the share that it was given."""

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from queue import SimpleQueue
from typing import IO, Any, cast

from nodegraph.executors.share import Share
from nodegraph.executors.worker import COMMAND, Cancel, Cells, Place
from nodegraph.sweep import Cell


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


@dataclass(eq=False, slots=True)
class Worker:
    """A process of its own, spawned and never forked. What comes from it is put into a queue, None when it has ended."""

    process: subprocess.Popen[bytes]
    ready: bool = False
    task: Task | None = None
    cells: list[Cell] = field(default_factory=list[Cell])
    """Those of the share as it was given."""

    def give(self, task: Task) -> None:
        """Give it a share. Raises Unsendable."""
        try:
            packed = pickle.dumps(Cells(task.share))
        except Exception as error:
            values = "a value of an input cannot be sent to another process"
            raise Unsendable(f"{values}: {error}; run it here") from error
        self.task, self.cells = task, task.cells
        self.send(packed)

    def cancel(self) -> None:
        """Let it stop at the next step; it says when it has."""
        self.send(Cancel())

    def send(self, message: Any) -> None:
        """Send something. A process that has ended is sent nothing; that it has ended is heard."""
        with suppress(OSError, ValueError):
            stream = cast("IO[bytes]", self.process.stdin)
            pickle.dump(message, stream)
            stream.flush()

    def kill(self) -> None:
        """End it with all that it began, whatever they do."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        with suppress(OSError):
            cast("IO[bytes]", self.process.stdin).close()
        self.process.wait()


Heard = tuple[Worker, Any]
"""What a worker tells; None when it has ended."""


def started(
    place: Place,
    environment: Mapping[str, str],
    heard: SimpleQueue[Heard | None],
    printed: int | None = None,
) -> Worker:
    """Start a worker; `printed` is where its standard error goes, None: to this process's. Raises OSError."""
    pipe = subprocess.PIPE
    command = [sys.executable, *COMMAND]
    worker = Worker(
        subprocess.Popen(
            command,
            stdin=pipe,
            stdout=pipe,
            stderr=printed,
            env=dict(environment),
            process_group=0,
        )
    )
    threading.Thread(target=_listen, args=(worker, heard), daemon=True).start()
    worker.send(place)
    return worker


def _listen(worker: Worker, heard: SimpleQueue[Heard | None]) -> None:
    """Put what a worker tells into the queue, until it has ended."""
    # Half a message is that of a process that was killed.
    with cast("IO[bytes]", worker.process.stdout) as stream, suppress(Exception):
        while True:
            heard.put((worker, pickle.load(stream)))
    heard.put((worker, None))
