"""What a job is: as it is asked for, as it is now, and how it ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]
Kind = Literal["run", "sweep", "get"]
Lane = str
"""Which workers do a job: `device` for those of any, a device by its name, `fetch` for the one that fetches models.

A sweep (`none`) is done by its cells.
"""
ENDED = ("done", "failed", "cancelled", "interrupted")


class QueueFull(RuntimeError):
    """More jobs wait than a server takes."""


class OtherRequest(ValueError):
    """A key that stands for another request."""


class WrongState(ValueError):
    """A job to which this cannot be done now; says why."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A job that is asked for."""

    kind: Kind
    title: str
    request: Mapping[str, Any]
    seeds: Mapping[str, Any] = field(default_factory=dict[str, Any])
    priority: int = 0
    cells: tuple["Wanted", ...] = ()
    files: tuple[str, ...] = ()
    """Digests of the uploads that it reads: they stay as long as it does."""
    device: str | None = None
    """The one device that is to do it."""

    @property
    def lane(self) -> Lane:
        """The workers that do it."""
        return {"run": self.device or "device", "get": "fetch", "sweep": "none"}[self.kind]


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it is now. Times are seconds since 1970; `nodes` tells of each node its status and seconds."""

    number: int
    id: str
    kind: Kind
    lane: Lane
    state: State
    position: float
    title: str
    request: Mapping[str, Any]
    parent: str | None
    cell: int | None
    seeds: Mapping[str, Any]
    created: float
    started: float | None
    ended: float | None
    worker: str | None
    attempt: int
    outputs: Mapping[str, Any] | None
    faults: Sequence[Mapping[str, Any]] | None
    nodes: Mapping[str, Mapping[str, Any]] | None
    versions: Mapping[str, str] | None
    thumbnail: str | None


@dataclass(frozen=True, slots=True)
class End:
    """How a job ended, and what is kept of it."""

    state: State
    outputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    faults: Sequence[Mapping[str, Any]] = ()
    nodes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    versions: Mapping[str, str] = field(default_factory=dict[str, str])
    thumbnail: str | None = None
