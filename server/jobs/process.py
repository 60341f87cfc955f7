"""A worker of the executors that does a server's tasks: what a node breaks there breaks no server."""

import fcntl
import os
import pickle
import subprocess
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from io import BufferedReader
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, cast

from nodegraph.base.threads import shared_out
from nodegraph.base.workspace import Workspace
from nodegraph.executors.process import started
from nodegraph.executors.tasks import Heard, Worker
from nodegraph.executors.worker import Cancel, Ended, Place, Ready
from nodegraph.library.following import edition
from nodegraph.runtime.cancel import CancelToken
from nodegraph.session import Session
from server.jobs.tasks import Task, Told, done

GRACE = 10.0
"""Seconds in which a task that is cancelled must come to its end, before its process is killed."""
NICE = 5
"""How far behind other programs a worker on a CPU stands."""
PIPE, PRINTED = 2**20, subprocess.PIPE
"""Bytes that a process may print before somebody reads them; and where that goes."""
Messages = SimpleQueue[Any]
LOOK = 0.2
"""Seconds between two looks whether a task has gone on for too long."""


@dataclass(frozen=True, slots=True)
class Device:
    """Where a process computes: a device, and the share of its memory that it may take (None: all)."""

    name: str | None = None
    vram_limit: float | None = None


class Died(RuntimeError):
    """A process ended, or was ended, in the middle of a task; says how."""


@dataclass(frozen=True, slots=True)
class Doing:
    """A task as a worker does it: in the folder of the workspace, within the bounds of its device."""

    task: Task
    workspace: Workspace
    folder: str
    device: Device

    def __call__(self, session: Session, place: Place, token: CancelToken) -> Iterator[Told]:
        os.chdir(self.folder)
        _bound(self.device)
        yield from done(replace(session, workspace=self.workspace), self.task, token)


@dataclass(slots=True)
class Child:
    """A worker that does one task after the other. It starts with the first, and again when it died, or when a library was
    installed or changed since: what it has imported cannot be taken back."""

    workspace: Workspace
    folder: str = "."
    device: Device = Device()
    grace: float = GRACE
    _worker: Worker | None = None
    _heard: SimpleQueue[Heard | None] = field(default_factory=SimpleQueue[Heard | None])
    _messages: Messages = field(default_factory=SimpleQueue[Any])
    _starting: threading.Lock = field(default_factory=threading.Lock)
    _cancelled: float | None = None
    _edition: int = 0
    """Of what is installed, when it was started."""

    def do(
        self, task: Task, seconds: float | None = None, unwanted: Callable[[], bool] = lambda: False
    ) -> Generator[Told]:
        """What a task tells. Raises Died where the process did, was killed for not heeding a cancel, or took too long.

        `unwanted` says of a task that is on its way whether somebody cancelled it before. Who does not listen to the end
        ends the process: what is left of a task must not be taken for the next one's.
        """
        begun, ended = time.monotonic(), False
        with self._starting:
            self._started()
            self._printed()  # by nobody's task
            heard, self._cancelled = self._heard, None
            self._messages.put(pickle.dumps(self._doing(task)))
        if unwanted():
            self.cancel()
        try:
            while not isinstance(told := self._told(heard, begun, seconds), Ended):
                if not isinstance(told, Ready):
                    yield told
            if printed := self._printed():
                yield printed
            ended = True
        finally:
            if not ended:
                self.stop()

    def _doing(self, task: Task) -> Any:
        """A task as the worker does it."""
        return Doing(task, self.workspace, self.folder, self.device)

    def _told(
        self, heard: SimpleQueue[Heard | None], begun: float, seconds: float | None
    ) -> Told | Ready | Ended:
        """The next thing that is told. Raises Died."""
        alive, found = True, None
        while alive:  # what it forked may hold its end of the pipe open: it is looked at too, once more after its end
            alive = self.alive
            try:
                found = heard.get(timeout=LOOK)
                break
            except Empty:
                self._watch(begun, seconds)
                if printed := self._printed():
                    return printed
        if found is None or found[1] is None:
            if printed := self._printed():
                return printed
            raise Died(self._reason())
        return found[1]

    def _printed(self) -> Told | None:
        """What the process printed since this was asked last: a pipe's worth, which the process waits for when it is full."""
        worker = self._worker
        found = worker.printed(PIPE) if worker is not None else b""
        return {"event": "printed", "content": found} if found else None

    def _watch(self, begun: float, seconds: float | None) -> None:
        """Kill the process where it should have ended by now. Raises Died."""
        now = time.monotonic()
        if self._cancelled is not None and now - self._cancelled > self.grace:
            self.stop()
            raise Died(
                f"it did not stop within {self.grace:g} s of being cancelled, and was killed"
            )
        if seconds is not None and now - begun > seconds:
            self.stop()
            raise Died(f"it took longer than {seconds:g} s, the limit of this server")

    def _reason(self) -> str:
        """How the process ended, in words; it is gone after."""
        worker = self._worker
        if worker is None:
            return "the worker was stopped"
        self.stop()
        ending = worker.ended()
        if ending.killed:
            return "the worker was killed, by somebody or for want of memory"
        return f"the worker {ending.words}"

    def cancel(self) -> None:
        """Ask the task that goes on to stop; it is given a time to do so."""
        with self._starting:
            if self._worker is not None:
                self._cancelled = self._cancelled or time.monotonic()
                self._messages.put(Cancel())

    @property
    def alive(self) -> bool:
        """Whether there is a process, with whatever it has loaded."""
        return self._worker is not None and self._worker.alive

    def stop(self) -> None:
        """End the process with all that it began, whatever they do; what it had loaded is gone."""
        worker, self._worker = self._worker, None
        self._messages.put(None)
        if worker is not None:
            worker.kill()

    def start(self) -> None:
        """Start the process before there is anything to do."""
        with self._starting:
            self._started()

    def _started(self) -> None:
        if not self.alive or self._edition != edition():
            self.stop()
            self._edition = edition()
            self._heard = SimpleQueue()
            self._worker = self._begun()
            self._messages = SimpleQueue()
            given = (self._worker, self._messages)
            threading.Thread(target=_send, args=given, daemon=True).start()

    def _begun(self) -> Worker:
        """A worker that has been started, whose messages are put into `_heard`."""
        # What it prints is there when it dies.
        environment = {**shared_out(1), "PYTHONUNBUFFERED": "1"}
        worker = started(Place(0, Path(self.folder)), environment, self._heard, PRINTED)
        _widen(cast("BufferedReader", worker.process.stderr))
        return worker


def _send(worker: Worker, messages: Messages) -> None:
    """Bring messages to a process in their order; nobody else waits where it does not read, since it was stopped."""
    while (message := messages.get()) is not None:
        worker.send(message)


def _widen(stream: BufferedReader) -> None:
    """Let a process print much before it waits; nobody waits for what it prints."""
    os.set_blocking(stream.fileno(), False)
    with suppress(OSError, AttributeError):  # Linux alone, and within the bounds of a user
        fcntl.fcntl(stream.fileno(), fcntl.F_SETPIPE_SZ, PIPE)


def _bound(device: Device) -> None:
    """Keep a process within the bounds of its device; a second time this changes nothing."""
    if device.name == "cpu":
        os.setpriority(os.PRIO_PROCESS, 0, max(NICE, os.getpriority(os.PRIO_PROCESS, 0)))
    if device.vram_limit is not None and device.name and device.name.startswith("cuda"):
        import torch

        torch.cuda.set_per_process_memory_fraction(device.vram_limit, torch.device(device.name))
