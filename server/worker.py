"""A process of its own that checks and runs graphs: what a node breaks there breaks no server."""

import base64
import multiprocessing
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Literal

from nodegraph.base.codes import Code
from nodegraph.base.diagnostics import GraphError, NodeFailed, diagnostic
from nodegraph.base.render import as_json
from nodegraph.base.threads import wait_quietly
from nodegraph.base.workspace import NOWHERE, NoNodes, Workspace
from nodegraph.language.source import SourceText
from nodegraph.options import Options
from nodegraph.runtime.events import Completed, Event, Stepped
from nodegraph.session import Job, Session

Kind = Literal["check", "run"]
Told = dict[str, Any]
END = "end"
PREVIEW_SECONDS = 0.25
"""The least time between two previews that are encoded."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker is asked: to check or to run a graph; files go to `out`."""

    kind: Kind
    source: SourceText
    out: Path


@dataclass(slots=True)
class Worker:
    """A process with a session, which does one task after the other. It starts with the first, and again after a stop."""

    workspace: Workspace = NOWHERE
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _process: BaseProcess | None = None
    _pipe: "Connection[Task, Told] | None" = None

    def do(self, task: Task) -> Iterator[Told]:
        """What the task tells, as plain data; a process that dies of it is told as a failure."""
        with self._lock:
            pipe = self._started()
            try:
                pipe.send(task)
                while (told := pipe.recv())["event"] != END:
                    yield told
            except (EOFError, OSError):
                yield {"event": "stopped", "message": "the worker was stopped"}
                self.stop()
            except GeneratorExit:
                self.stop()  # nobody listens any more: what it does is not wanted
                raise

    def stop(self) -> None:
        """End the process, whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
        self._process = self._pipe = None

    def _started(self) -> "Connection[Task, Told]":
        if self._pipe is None or self._process is None or not self._process.is_alive():
            spawn = multiprocessing.get_context("spawn")
            self._pipe, theirs = spawn.Pipe()
            self._process = spawn.Process(target=work, args=(theirs, self.workspace), daemon=True)
            self._process.start()
            theirs.close()
        return self._pipe


def work(pipe: "Connection[Told, Task]", workspace: Workspace = NOWHERE) -> None:
    """Do what comes through the pipe, until it is closed."""
    wait_quietly()
    session = Session(workspace=workspace)
    with suppress(EOFError, KeyboardInterrupt):
        while True:
            task = pipe.recv()
            for told in done(session, task):
                pipe.send(told)
            pipe.send({"event": END})


def done(session: Session, task: Task) -> Iterator[Told]:
    """What a task tells; the last is `checked`, `written` or `refused`."""
    try:
        yield from _done(session.fresh(), task)
    except NoNodes as error:
        yield {
            "event": "refused",
            "diagnostics": [as_json(diagnostic(Code.UNREADABLE_FILE, f"{error}"))],
        }
    except GraphError as error:
        yield {"event": "refused", "diagnostics": [as_json(found) for found in error.diagnostics]}
    except NodeFailed:
        pass  # the event Failed said it


def _done(session: Session, task: Task) -> Iterator[Told]:
    opened = session.open(task.source)
    job = Job(options=Options(device=None, out=task.out))
    if task.kind == "check":
        found = session.check(opened, job)
        yield {"event": "checked", "diagnostics": [as_json(fault) for fault in found.diagnostics]}
        return
    prepared = session.prepare(opened, job)
    session.place(prepared)
    previews = Previews()
    for event in session.run(prepared):
        yield previews.told(event)
        if isinstance(event, Completed):
            yield session.write(prepared, event.outputs).to_json()


@dataclass(slots=True)
class Previews:
    """Puts previews to events, as data addresses, no more often than somebody can look at them."""

    last: float = 0.0

    def told(self, event: Event) -> Told:
        """The event as plain data."""
        told = event.to_json()
        if isinstance(event, Stepped) and time.monotonic() - self.last > PREVIEW_SECONDS:
            image = event.image()
            if image is not None:
                self.last = time.monotonic()
                told["preview"] = f"data:image/png;base64,{base64.b64encode(image).decode()}"
        return told
