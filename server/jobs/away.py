"""Jobs on a cluster: a worker of it does a task as a process here would, and what comes out of it is brought here."""

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from nodegraph.base.workspace import Workspace
from nodegraph.executors.cluster import Ray
from nodegraph.executors.tasks import Worker
from nodegraph.executors.worker import Place
from nodegraph.runtime.cancel import CancelToken
from nodegraph.session import Session
from server.jobs.process import Child
from server.jobs.tasks import Run, Task, Told, done

LAID = "laid"
"""The event that brings a file."""


@dataclass(frozen=True, slots=True)
class Away:
    """A run as a worker on another machine does it: what it writes it tells, file by file."""

    run: Run
    workspace: Workspace
    folder: str

    def __call__(self, session: Session, place: Place, token: CancelToken) -> Iterator[Told]:
        with suppress(OSError):  # without it, what is named by a path in it is told to be absent
            os.chdir(self.folder)
        asked = self.run.asked
        with TemporaryDirectory(dir=place.parcels) as beside:
            options = replace(asked.job.options, out=beside)
            run = replace(self.run, asked=replace(asked, job=replace(asked.job, options=options)))
            for told in done(replace(session, workspace=self.workspace), run, token):
                if told["event"] == "written":
                    yield from _files(Path(beside))
                    told["outputs"] = _moved(told["outputs"], beside, str(asked.job.options.out))
                yield told


def _files(folder: Path) -> Iterator[Told]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            name = path.relative_to(folder).as_posix()
            yield {"event": LAID, "path": name, "content": path.read_bytes()}


def _moved(value: Any, old: str, new: str) -> Any:
    """What was written, with the paths that it has here."""
    match value:
        case dict():
            return {name: _moved(one, old, new) for name, one in value.items()}
        case list():
            return [_moved(one, old, new) for one in value]
        case str() if value.startswith(f"{old}{os.sep}"):
            return f"{new}{value.removeprefix(old)}"
        case _:
            return value


@dataclass(slots=True)
class Seat(Child):
    """A worker of a cluster, one of so many. It begins with the first task, and keeps what it has loaded."""

    ray: Ray | None = None
    number: int = 0

    def do(
        self, task: Task, seconds: float | None = None, unwanted: Callable[[], bool] = lambda: False
    ) -> Generator[Told]:
        """See `Child`."""
        out = Path(task.asked.job.options.out) if isinstance(task, Run) else Path()
        with closing(Child.do(self, task, seconds, unwanted)) as telling:
            for told in telling:
                if told["event"] == LAID:
                    _lay(out, PurePosixPath(told["path"]), told["content"])
                else:
                    yield told

    def _doing(self, task: Task) -> Any:
        assert isinstance(task, Run)
        return Away(task, self.workspace, self.folder)

    def _begun(self) -> Worker:
        assert self.ray is not None
        return self.ray.begin(self.number, self._heard)


def _lay(out: Path, name: PurePosixPath, content: bytes) -> None:
    """Write a file below the folder of a job."""
    if name.is_absolute() or ".." in name.parts:
        raise ValueError(f"a worker tells of a file outside its folder: {name}")
    path = out / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
