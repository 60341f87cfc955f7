"""What happens in a run, as frozen records: the CLI, the server and notebooks render the same ones."""

from dataclasses import dataclass
from typing import Any, Literal

from nodegraph.errors import Diagnostic

Status = Literal["ran", "cached", "rebuilt", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Started:
    node: str


@dataclass(frozen=True, slots=True)
class Stepped:
    """A generator node yielded: steps done of total; `preview` is a value of its output's type, or None."""

    node: str
    done: int
    total: int
    preview: Any
    note: str


@dataclass(frozen=True, slots=True)
class Cached:
    """The node's result was found in memory or on disk; nothing ran."""

    node: str
    where: Literal["memory", "disk"]


@dataclass(frozen=True, slots=True)
class Finished:
    """`status` is `rebuilt` for live values (denoisers, schedules) that only a new process had to make again."""

    node: str
    seconds: float
    status: Literal["ran", "rebuilt"]


@dataclass(frozen=True, slots=True)
class Warned:
    """The node, or the engine about its result, has something to say; it goes on."""

    node: str
    diagnostic: Diagnostic


@dataclass(frozen=True, slots=True)
class Failed:
    """The run ends here; `NodeFailed` follows."""

    node: str
    diagnostic: Diagnostic


@dataclass(frozen=True, slots=True)
class Completed:
    """The last event: every output that was asked for, by name."""

    outputs: dict[str, Any]


Event = Started | Stepped | Warned | Cached | Finished | Failed | Completed
