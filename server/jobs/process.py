"""A process of its own that does tasks: what a node breaks there breaks no server, and it goes when the server goes."""

import multiprocessing
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from nodegraph.base.threads import wait_quietly
from nodegraph.base.workspace import Workspace
from nodegraph.runtime.cancel import CancelToken
from nodegraph.session import Session
from server.jobs.tasks import Task, Told, done

END = "end"
CANCEL = "cancel"
GRACE = 10.0
"""Seconds in which a task that is cancelled must come to its end, before its process is killed."""
NICE = 5
"""How far behind other programs a worker on a CPU stands."""
Message = Task | str


@dataclass(frozen=True, slots=True)
class Device:
    """Where a process computes: a device, and the share of its memory that it may take (None: all)."""

    name: str | None = None
    vram_limit: float | None = None


class Died(RuntimeError):
    """A process ended, or was ended, in the middle of a task; says how."""


@dataclass(slots=True)
class Child:
    """A process with a session, which does one task after the other. It starts with the first, and again when it died."""

    workspace: Workspace
    folder: str = "."
    device: Device = Device()
    grace: float = GRACE
    _process: BaseProcess | None = None
    _pipe: "Connection[Message, Told] | None" = None
    _sending: threading.Lock = field(default_factory=threading.Lock)
    _cancelled: float | None = None

    def do(self, task: Task, seconds: float | None = None) -> Iterator[Told]:
        """What a task tells. Raises Died where the process did, was killed for not heeding a cancel, or took too long."""
        started = time.monotonic()
        with self._sending:
            pipe, self._cancelled = self._started(), None
            pipe.send(task)
        while True:
            try:
                if not pipe.poll(0.2):
                    self._watch(started, seconds)
                    continue
                told = pipe.recv()
            except (EOFError, OSError):
                raise Died(self._reason()) from None
            if told["event"] == END:
                return
            yield told

    def _watch(self, started: float, seconds: float | None) -> None:
        """Kill the process where it should have ended by now. Raises Died."""
        now = time.monotonic()
        if self._cancelled is not None and now - self._cancelled > self.grace:
            self.stop()
            raise Died(
                f"it did not stop within {self.grace:g} s of being cancelled, and was killed"
            )
        if seconds is not None and now - started > seconds:
            self.stop()
            raise Died(f"it took longer than {seconds:g} s, the limit of this server")

    def _reason(self) -> str:
        """How the process ended, in words; it is gone after."""
        process = self._process
        if process is None:
            return "the worker was stopped"
        process.join(5.0)
        code = process.exitcode
        self.stop()
        if code == -signal.SIGKILL:
            return "the worker was killed, by somebody or for want of memory"
        name = signal.Signals(-code).name if code is not None and code < 0 else f"code {code}"
        return f"the worker ended with {name}"

    def cancel(self) -> None:
        """Ask the task that goes on to stop; it is given a time to do so."""
        with self._sending:
            if self._pipe is not None:
                self._cancelled = self._cancelled or time.monotonic()
                with suppress(OSError):  # it is dead, which `do` notices
                    self._pipe.send(CANCEL)

    @property
    def alive(self) -> bool:
        """Whether there is a process, with whatever it has loaded."""
        return self._process is not None and self._process.is_alive()

    def stop(self) -> None:
        """End the process, whatever it does; what it had loaded is gone."""
        process, self._process, pipe, self._pipe = self._process, None, self._pipe, None
        if process is not None:
            process.kill()
            process.join()
        if pipe is not None:
            pipe.close()

    def start(self) -> None:
        """Start the process before there is anything to do."""
        with self._sending:
            self._started()

    def _started(self) -> "Connection[Message, Told]":
        if self._pipe is None or self._process is None or not self._process.is_alive():
            self.stop()
            spawn = multiprocessing.get_context("spawn")
            self._pipe, theirs = spawn.Pipe()
            given = (theirs, self.workspace, self.folder, self.device)
            self._process = spawn.Process(target=work, args=given, daemon=True)
            self._process.start()
            theirs.close()
        return self._pipe


Tasks = queue.SimpleQueue[tuple[Task, CancelToken]]


def work(
    pipe: "Connection[Told, Message]", workspace: Workspace, folder: str, device: Device = Device()
) -> None:
    """Do what comes through a pipe; end when it is closed."""
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C is for the server, which ends this process
    wait_quietly()
    os.chdir(folder)
    if device.name == "cpu":
        os.nice(NICE)
    _limit(device)
    tasks: Tasks = queue.SimpleQueue()
    threading.Thread(target=_read, args=(pipe, tasks.put), daemon=True).start()
    session = Session(workspace=workspace)
    while True:
        task, token = tasks.get()
        for told in done(session, task, token):
            pipe.send(told)
        pipe.send({"event": END})


def _read(
    pipe: "Connection[Told, Message]", put: Callable[[tuple[Task, CancelToken]], None]
) -> None:
    """Tasks and cancels as they come; the process ends with its server."""
    token = CancelToken()
    while True:
        try:
            message = pipe.recv()
        except (EOFError, OSError):
            os._exit(0)
        if message == CANCEL:
            token.cancel()
        else:
            token = CancelToken()
            put((message, token))  # type: ignore[arg-type]


def _limit(device: Device) -> None:
    if device.vram_limit is not None and device.name and device.name.startswith("cuda"):
        import torch

        torch.cuda.set_per_process_memory_fraction(device.vram_limit, torch.device(device.name))
