"""What a process beside the server is asked to do, and what it tells, as plain data. Each task is done by a session."""

import resource
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Protocol

from nodegraph.base.codes import Code
from nodegraph.base.diagnostics import Cancelled, Diagnostic, GraphError, NodeFailed, diagnostic
from nodegraph.base.paths import is_file
from nodegraph.base.workspace import NoNodes
from nodegraph.library.port import Weights
from nodegraph.options import NoDevice
from nodegraph.runtime.cancel import CancelToken
from nodegraph.runtime.events import Completed, Event, Stepped
from nodegraph.runtime.provenance import versions
from nodegraph.runtime.recorded import Recorded
from nodegraph.session import Job, Session
from server.diagnostics import as_problem_list
from server.files import webp

Told = dict[str, Any]
PREVIEW_SECONDS = 0.25
"""The least time between two previews of a node."""
KEPT = 32
"""Steps of a node whose pictures are kept, evenly spaced: one can go back and forth through them."""
BROKEN = "an error of the program; the log of the server tells more"


class Task(Protocol):
    """One callable: does something with a session, until a token says that it is not wanted any more."""

    def __call__(self, session: Session, token: CancelToken) -> Iterator[Told]: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """A graph and what is asked of it, as it travels between processes."""

    opened: Recorded
    job: Job


@dataclass(frozen=True, slots=True)
class Run:
    """Run a graph, and write what comes out to the folder of its options."""

    asked: Asked

    def __call__(self, session: Session, token: CancelToken) -> Iterator[Told]:
        asked, previews = self.asked, Previews()
        prepared = session.prepare(asked.opened, asked.job, token)
        session.place(prepared)
        for event in session.run(prepared, token, files=True):
            yield previews.told(event)
            if isinstance(event, Completed):
                written = session.write(prepared, event.outputs).to_json()
                yield {**written, "versions": versions()}


@dataclass(frozen=True, slots=True)
class Check:
    """Check a graph, shapes included; and what a run would do with each node, where that can be said."""

    asked: Asked

    def __call__(self, session: Session, token: CancelToken) -> Iterator[Told]:
        found = session.check(self.asked.opened, self.asked.job, token=token)
        faults = as_problem_list(found.diagnostics, found.texts)
        told: Told = {"event": "checked", "diagnostics": faults, "unknown": found.unknown}
        if any(fault.severity == "error" for fault in found.diagnostics):
            yield told
        else:
            yield told | _planned(session, self.asked)


@dataclass(frozen=True, slots=True)
class Plan:
    """Say what a run would do, and why."""

    asked: Asked

    def __call__(self, session: Session, token: CancelToken) -> Iterator[Told]:
        made = session.plan(self.asked.opened, self.asked.job)
        shapes = (*made.warnings, *made.shapes.diagnostics)
        yield {
            "event": "planned",
            "steps": [asdict(step) for step in made.steps],
            "flops": made.flops,
            "parameters": made.parameters,
            "peak_memory": made.peak_memory,
            "downloads": lacking(made.downloads),
            "diagnostics": as_problem_list(shapes, made.texts),
        }


@dataclass(frozen=True, slots=True)
class Get:
    """Fetch a model of the catalogue; a broken transfer goes on where it stopped."""

    model: str

    def __call__(self, session: Session, token: CancelToken) -> Iterator[Told]:
        from nodegraph.models import store
        from nodegraph.models.catalogue import listings

        listing, wanted = store.find(self.model, listings()[0])
        absent = [file for file in wanted if file.kept is None]
        for file in absent:
            about = {"event": "downloading", "node": "", "model": file.model, "file": file.name}
            for done, total in _transfer(partial(store.get, listing, file), token):
                yield {**about, "done": done, "total": total}
        yield {"event": "written", "outputs": {"models": [file.model for file in wanted]}}


Fetch = Callable[[Callable[[int, int | None], None]], object]


def _transfer(fetch: Fetch, token: CancelToken) -> Iterator[tuple[int, int | None]]:
    """What a transfer tells of its progress, four times a second; it runs in a thread of its own."""
    told: SimpleQueue[tuple[int, int | None]] = SimpleQueue()

    def show(done: int, total: int | None) -> None:
        token.check()
        told.put((done, total))

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(fetch, show)
        while not running.done():
            time.sleep(PREVIEW_SECONDS)
            newest = None
            while not told.empty():
                newest = told.get()
            if newest is not None:
                yield newest
        running.result()


def _planned(session: Session, asked: Asked) -> Told:
    """Shapes, cost and state of each node, and weights that lack; nothing where an input without a default is not given."""
    try:
        made = session.plan(asked.opened, asked.job)
    except (GraphError, NoDevice):
        return {}
    return {"nodes": [asdict(step) for step in made.steps], "missing": lacking(made.downloads)}


def lacking(weights: Sequence[Weights]) -> list[Told]:
    """Weights that are to be fetched, with what is asked before: bytes (None: unknown), licence, whether it is accepted."""
    if not weights:
        return []
    from nodegraph.models.catalogue import accepted, listings

    of = {file.model: row for row in listings()[0] for file in row.files}
    found: list[Told] = []
    for model in weights:
        row = of.get(model.name)
        terms = {"licence": row and row.licence, "accepted": row is None or accepted(row)}
        found.append({"model": model.name, "bytes": model.download, **terms})
    return found


def done(session: Session, task: Task, token: CancelToken) -> Iterator[Told]:
    """What a task tells; `refused`, `failed` or `cancelled` is the last thing where it comes to no good end."""
    from nodegraph.models.store import NoModel, NotKept

    try:
        yield from task(session.fresh(), token)
    except Cancelled:
        yield {"event": "cancelled"}
    except GraphError as error:
        yield _refused(error.diagnostics, error.texts)
    except (NoNodes, NoDevice, NoModel, NotKept) as error:
        yield _refused([diagnostic(Code.UNREADABLE_FILE, str(error))])
    except NodeFailed:
        yield {"event": "broken"}  # the event `failed` before it said why
    except MemoryError:
        message = "the memory of this machine does not suffice"
        yield _refused([diagnostic(Code.NODE_FAILED, message)])
    except Exception as error:
        yield {"event": "trace", "text": _trace(error)}
        yield _refused([diagnostic(Code.NODE_FAILED, BROKEN)])


def _trace(error: Exception) -> str:
    """Where an error of the program was raised, for the log of the server; its words may hold a prompt, and stay away."""
    return "".join((*traceback.format_tb(error.__traceback__), type(error).__name__))


def _refused(faults: Any, texts: Mapping[str, str] | None = None) -> Told:
    found: list[Diagnostic] = list(faults)
    return {"event": "refused", "diagnostics": as_problem_list(found, texts or {})}


@dataclass(slots=True)
class Previews:
    """Puts previews and memory to events; a preview of a node no more often than somebody can look at."""

    _last: dict[str, float] = field(default_factory=dict[str, float])
    _parts: dict[str, int] = field(default_factory=dict[str, int])

    def told(self, event: Event) -> Told:
        """The event as plain data; of a step that is kept with what it was predicted from."""
        told = event.to_json()
        if isinstance(event, Stepped):
            kept = self._kept(event)
            if self._due(event) or kept:
                told["preview"] = _small(event.image())
            if kept and told["preview"]:
                told |= {"kept": True, "noisy": _small(event.image(noisy=True))}
        if told["event"] == "finished":
            told["memory"] = peak_memory()
        return told

    def _kept(self, event: Stepped) -> bool:
        """Whether a step is the first to lie in another part of its node's steps than the one before."""
        part = KEPT * event.done // max(event.total, 1)
        before, self._parts[event.node] = self._parts.get(event.node, 0), part
        return part != before

    def _due(self, event: Stepped) -> bool:
        now = time.monotonic()
        due = event.done == event.total or now - self._last.get(event.node, 0.0) > PREVIEW_SECONDS
        if due:
            self._last[event.node] = now
        return due


def _small(image: bytes | None) -> bytes | None:
    return None if image is None else webp(image)


def peak_memory() -> int:
    """Bytes that this process has had in memory at most; the kernel tells kilobytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def outputs_of(told: Told, out: Path) -> Iterator[tuple[str, Any]]:
    """Name and value, or path, of each thing that was written to a folder. A text that names another file is a text."""
    for name, found in told["outputs"].items():
        for item in found if isinstance(found, list) else [found]:
            path = Path(item) if isinstance(item, str) else None
            ours = path is not None and path.is_relative_to(out) and ".." not in path.parts
            yield name, path if path is not None and ours and is_file(path) else item
