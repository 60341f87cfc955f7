"""What happens in a run, as frozen records: the command line, servers and notebooks render the same ones.

`to_json` gives plain data of each. Values (previews, outputs) are beside it: they are the process's own.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from nodegraph.base.diagnostics import Diagnostic
from nodegraph.base.render import as_json

Action = Literal["memory", "disk", "run", "rebuild", "skip"]
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Deed:
    """What would be done with a step, and the reason; `key`: what its result is kept under."""

    node: str
    action: Action
    reason: str
    key: str

    @property
    def works(self) -> bool:
        """Whether a run would call the node."""
        return self.action in ("run", "rebuild")


@dataclass(frozen=True, slots=True)
class Planned:
    """The first event: what is going to be done with each step, in order."""

    steps: tuple[Deed, ...]

    def to_json(self) -> Json:
        return {"event": "planned", "steps": [asdict(step) for step in self.steps]}


@dataclass(frozen=True, slots=True)
class Loaded:
    """A node read the weights of a model, which stays loaded while there is room."""

    node: str
    model: str
    seconds: float

    def to_json(self) -> Json:
        loaded = {"model": self.model, "seconds": round(self.seconds, 4)}
        return {"event": "loaded", "node": self.node, **loaded}


@dataclass(frozen=True, slots=True)
class Started:
    node: str

    def to_json(self) -> Json:
        return {"event": "started", "node": self.node}


@dataclass(frozen=True, slots=True)
class Stepped:
    """A generator node yielded: steps done of total; `preview` is a value of its output's type, or None.

    `noisy` is another one where that is a prediction: what is still on its way to it.
    """

    node: str
    done: int
    total: int
    preview: Any
    note: str
    encode: Callable[[Any], bytes | None] | None = field(default=None, repr=False, compare=False)
    noisy: Any = None

    def image(self, noisy: bool = False) -> bytes | None:
        """The preview, or `noisy`, as the bytes of a picture file, made when this is called; None where there is none."""
        value = self.noisy if noisy else self.preview
        return None if value is None or self.encode is None else self.encode(value)

    def to_json(self) -> Json:
        steps = {"done": self.done, "total": self.total, "note": self.note}
        return {"event": "stepped", "node": self.node, **steps}


@dataclass(frozen=True, slots=True)
class Cached:
    """The node's result was found in memory or on disk; nothing ran."""

    node: str
    where: Literal["memory", "disk"]

    def to_json(self) -> Json:
        return {"event": "cached", "node": self.node, "where": self.where}


@dataclass(frozen=True, slots=True)
class Finished:
    """`status` is `rebuilt` for live values (denoisers, schedules) that only a new process had to make again.

    `outputs`: what came out, described, by name.
    """

    node: str
    seconds: float
    status: Literal["ran", "rebuilt"]
    outputs: Mapping[str, str] = field(default_factory=dict[str, str])

    def to_json(self) -> Json:
        made = {"seconds": round(self.seconds, 4), "status": self.status}
        return {"event": "finished", "node": self.node, **made, "outputs": dict(self.outputs)}


@dataclass(frozen=True, slots=True)
class Warned:
    """The node, or the engine about its result, has something to say; it goes on. `node` is empty for a whole graph."""

    node: str
    diagnostic: Diagnostic

    def to_json(self) -> Json:
        return {"event": "warned", "node": self.node, "diagnostic": as_json(self.diagnostic)}


@dataclass(frozen=True, slots=True)
class Failed:
    """The run ends here; `NodeFailed` follows. `inputs`: what stood on the node's ports, described."""

    node: str
    diagnostic: Diagnostic
    inputs: Mapping[str, str] = field(default_factory=dict[str, str])

    def to_json(self) -> Json:
        fault = {"diagnostic": as_json(self.diagnostic), "inputs": dict(self.inputs)}
        return {"event": "failed", "node": self.node, **fault}


@dataclass(frozen=True, slots=True)
class Completed:
    """The run is whole: every output that was asked for, by name; and what it is, in a few words."""

    outputs: dict[str, Any]
    described: Mapping[str, str] = field(default_factory=dict[str, str])

    def to_json(self) -> Json:
        return {"event": "completed", "outputs": dict(self.described)}


@dataclass(frozen=True, slots=True)
class Written:
    """What came out, by name: the paths of files for people, or, where there are none, the value or its description."""

    outputs: Mapping[str, Any]

    def to_json(self) -> Json:
        return {"event": "written", "outputs": dict(self.outputs)}


Event = (
    Planned | Loaded | Started | Stepped | Warned | Cached | Finished | Failed | Completed | Written
)
