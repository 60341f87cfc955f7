"""What a check on shapes finds, and what is kept of it for the next one. Needs no torch."""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from nodegraph.base.diagnostics import Diagnostic
from nodegraph.library.port import Weights
from nodegraph.runtime.keys import Key
from nodegraph.runtime.warn import Warned

NOTHING_KNOWN = "its inputs are unknown"
FAILED = "it failed"


@dataclass(frozen=True, slots=True)
class StepShapes:
    """What a step gives, described, and what it would cost. `reason`: why its shapes are unknown.

    `flops`; bytes of the tensors it makes: at their `peak`, and `kept` in its outputs; `models`: those on its ports.
    """

    name: str
    outputs: tuple[str, ...]
    flops: int = 0
    peak: int = 0
    kept: int = 0
    models: tuple[Weights, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ShapeReport:
    """The faults, and the shapes of every step. `raised`: what nodes raised, with their tracebacks."""

    diagnostics: tuple[Diagnostic, ...]
    steps: tuple[StepShapes, ...]
    raised: tuple[BaseException, ...] = ()

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The faults for which the graph cannot run; the rest are warnings."""
        return tuple(fault for fault in self.diagnostics if fault.severity == "error")

    @property
    def unknown(self) -> int:
        """How many steps could not be followed."""
        return sum(step.reason is not None for step in self.steps)

    @property
    def lost(self) -> dict[str, str]:
        """The steps from which on shapes are unknown, each with what in it needs values."""
        told = (NOTHING_KNOWN, FAILED)
        return {s.name: s.reason for s in self.steps if s.reason and s.reason not in told}


@dataclass(frozen=True, slots=True)
class Seen:
    """What the check of a step gave: its outputs on shapes, their description, and what the node said."""

    outputs: tuple[Any, ...]
    shapes: StepShapes
    said: tuple[Warned, ...]


@dataclass(slots=True)
class Shapes:
    """What is known of steps on shapes, by their keys: a check calls the nodes that it does not know. `calls` counts those."""

    entries: int = 4096
    calls: int = 0
    models: dict[tuple[str, ...], Any] = field(default_factory=dict[tuple[str, ...], Any])
    _seen: OrderedDict[Key, Seen] = field(default_factory=OrderedDict[Key, Seen])

    def clear(self) -> None:
        """Forget every step and model."""
        self._seen.clear()
        self.models.clear()

    def get(self, key: Key) -> Seen | None:
        """What is known of a step."""
        if key in self._seen:
            self._seen.move_to_end(key)
        return self._seen.get(key)

    def put(self, key: Key, seen: Seen) -> None:
        """Keep what a step gave; the least recently used go when there is no room."""
        self._seen[key] = seen
        while len(self._seen) > self.entries:
            self._seen.popitem(last=False)
