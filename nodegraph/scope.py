"""What the names of a graph stand for while it is compiled, and the faults that are found on the way."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nodegraph.errors import Diagnostic, Span, diagnostic
from nodegraph.graph import Listing, Literal, Value
from nodegraph.literals import BadLiteral, Slot, coerced
from nodegraph.program import Constant, Source
from nodegraph.registry import Registry
from nodegraph.types import TypeRef
from nodegraph.unify import UNKNOWN


@dataclass(frozen=True, slots=True)
class Bound:
    """What a name of a graph stands for: outputs by port, each a source with its type. Empty: it is absent."""

    outputs: Mapping[str, tuple[Source, TypeRef]]
    bundle: Constant | None = None
    failed: bool = False
    """A fault was reported already: what depends on it stays silent."""


ABSENT = Bound({})
FAILED = Bound({}, failed=True)
Scope = dict[str, Bound]


@dataclass(slots=True)
class Faults:
    """Collects the faults of a compilation; what follows a fault goes on with a value that fits everywhere."""

    registry: Registry
    found: list[Diagnostic] = field(default_factory=list[Diagnostic])

    def add(
        self,
        code: str,
        message: str,
        span: Span | None,
        hint: str | None = None,
        node: str | None = None,
    ) -> None:
        fault = diagnostic(code, message, span, hint, node)
        if fault not in self.found[-8:]:
            self.found.append(fault)

    def literal(
        self, value: Any, slot: Slot, span: Span | None, node: str | None, owner: str = ""
    ) -> Any | BadLiteral:
        """The literal in the form of its slot, or the BadLiteral that was reported."""
        try:
            return coerced(value, slot, self.registry.ports)
        except BadLiteral as error:
            self.add(error.code, owner + str(error), span, error.hint, node)
            return error

    @property
    def errors(self) -> bool:
        return any(fault.severity == "error" for fault in self.found)


def unknown(span: Span | None) -> Constant:
    """Stands where a fault was reported: it fits everywhere, so that one fault is not told twice."""
    return Constant(None, UNKNOWN, span)


def plain(value: Value) -> Any:
    """What a literal or a list of literals says; None for a reference."""
    if isinstance(value, Listing):
        return [plain(item) for item in value.items]
    return value.value if isinstance(value, Literal) else None
