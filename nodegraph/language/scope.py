"""What the names of a graph stand for while it is compiled, and the faults that are found on the way."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nodegraph.base.codes import Code
from nodegraph.base.diagnostics import Diagnostic, Edit, Hints, Span, diagnostic, meant, swap
from nodegraph.language.graph import Listing, Literal, Value
from nodegraph.language.literals import BadLiteral, Slot, coerced
from nodegraph.language.program import Constant, Source
from nodegraph.language.texts import lines_of
from nodegraph.language.written import flow, quoted, tree_of
from nodegraph.language.yaml import MOST_FAULTS
from nodegraph.library.port import TypeRef
from nodegraph.library.registry import Registry
from nodegraph.library.typerefs import UNKNOWN


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
    found: dict[Diagnostic, None] = field(default_factory=dict[Diagnostic, None])
    hints: Hints = field(default_factory=Hints)
    errors: bool = False
    """Whether there is a fault for which the graph cannot run."""
    texts: dict[str, str] = field(default_factory=dict[str, str])
    """The texts of the graph files that were read, by the names that spans give them."""
    more: bool = False
    """Whether there were so many that some were left out."""

    def add(
        self,
        code: Code,
        message: str,
        span: Span | None,
        hint: str | None = None,
        node: str | None = None,
        fix: tuple[Edit, ...] = (),
    ) -> None:
        if self.more:
            self.errors = self.errors or code.startswith("E")
            return
        self.extend([diagnostic(code, message, span, hint, node, fix=fix)])

    def extend(self, faults: Iterable[Diagnostic]) -> None:
        for fault in faults:
            self.errors = self.errors or fault.severity == "error"
            self.more = self.more or len(self.found) >= MOST_FAULTS
            if not self.more:
                self.found[fault] = None

    def literal(
        self, value: Any, slot: Slot, span: Span | None, node: str | None, owner: str = ""
    ) -> Any | BadLiteral:
        """The literal in the form of its slot, or the BadLiteral that was reported."""
        try:
            return coerced(value, slot, self.registry.ports)
        except BadLiteral as error:
            fix = self._fix(error, span)
            self.add(error.code, owner + str(error), span, error.hint, node, fix)
            return error

    def _fix(self, error: BadLiteral, span: Span | None) -> tuple[Edit, ...]:
        """The edit that makes a literal a good one, where it is known."""
        if error.inside:
            return ()
        if error.quote and span and "\n" not in (raw := self.written(span)):
            return swap(span, quoted(raw)) if raw[:1] not in ("'", '"', "") else ()
        if error.instead is not None:
            return swap(span, flow(tree_of(error.instead)))
        near = meant(error.hint)
        return () if near is None else swap(span, flow(tree_of(near)))

    def written(self, span: Span) -> str:
        """What stands in a span; nothing where its file is not known."""
        text = self.texts.get(span.file)
        return "" if text is None else lines_of(text).at(span)


def unknown(span: Span | None) -> Constant:
    """Stands where a fault was reported: it fits everywhere, so that one fault is not told twice."""
    return Constant(None, UNKNOWN, span)


def plain(value: Value) -> Any:
    """What a literal or a list of literals says; None for a reference."""
    if isinstance(value, Listing):
        return [plain(item) for item in value.items]
    return value.value if isinstance(value, Literal) else None
