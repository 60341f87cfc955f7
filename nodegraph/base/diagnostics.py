"""Spans, diagnostics and the exceptions of the engine. A diagnostic is structured first and text last."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from nodegraph.base.codes import Code
from nodegraph.base.visible import clipped, visible

LONGEST_NAME = 80
"""Characters of a name for which a nearest one is looked for."""
Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a source file; lines and columns count from 1, in code points, the end is exclusive."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Edit:
    """What stands in a span of a source file is replaced by a text; an empty span is a place between two characters."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One fault of a graph: a stable code (`E201`), its name (`unknown-port`), where, what, and how to mend it.

    `raised`: file and line in a node's own code, where that raised an error. `fix`: the edits that mend it, all of
    them together; none where a person must choose.
    """

    code: Code
    name: str
    message: str
    span: Span | None = None
    hint: str | None = None
    severity: Severity = "error"
    node: str | None = None
    raised: str | None = None
    fix: tuple[Edit, ...] = ()

    def __str__(self) -> str:
        where = f"{self.span}: " if self.span else ""
        return visible(f"{where}{self.code} {self.name}: {self.message}")


def diagnostic(
    code: Code,
    message: str,
    span: Span | None = None,
    hint: str | None = None,
    node: str | None = None,
    raised: str | None = None,
    fix: tuple[Edit, ...] = (),
) -> Diagnostic:
    """A diagnostic with the name of its code. Raises ValueError for a text that is no code."""
    code = Code(code)
    severity: Severity = "warning" if code.startswith("W") else "error"
    hint = None if hint is None else clipped(hint)
    return Diagnostic(code, code.word, clipped(message), span, hint, severity, node, raised, fix)


def place(fault: Diagnostic) -> tuple[str, int, int]:
    """Where a fault stands, for sorting."""
    return (fault.span.file, fault.span.line, fault.span.column) if fault.span else ("", 0, 0)


def nearest(name: str, names: Iterable[str]) -> str | None:
    """A hint with the nearest of the names, or the names themselves if they are few."""
    known = sorted(set(names))
    short = [n for n in known if len(n) <= LONGEST_NAME]
    close = get_close_matches(name, short, 1, 0.6) if len(name) <= LONGEST_NAME else []
    if close:
        return f"did you mean '{close[0]}'?"
    return f"there are: {', '.join(known)}" if 0 < len(known) <= 12 else None


_MEANT = re.compile(r"(?:.*; )?did you mean '(.*)'\?", re.DOTALL)


def meant(hint: str | None) -> str | None:
    """The one name that a hint of `nearest` gives, or a message that ends with one."""
    found = _MEANT.fullmatch(hint) if hint else None
    return found[1] if found else None


def swap(span: Span | None, text: str | None) -> tuple[Edit, ...]:
    """The edit that writes a text over a span; none where there is no text, or what stands there has no last line."""
    if span is None or text is None or (span.end_column == 1 and span.end_line > span.line):
        return ()
    return (Edit(span, text),)


@dataclass(slots=True)
class Hints:
    """Nearest names for the first faults of a file; to look for more of them would take longer than the check itself."""

    left: int = 10_000
    """Names that may still be looked at."""

    def spend(self, names: int) -> bool:
        """Whether another search, among so many names, is worth its time."""
        worth, self.left = self.left > 0, self.left - names
        return worth

    def nearest(self, name: str, names: Collection[str]) -> str | None:
        """As `nearest`; None for the faults that come later."""
        return nearest(name, names) if self.spend(len(names)) else None


class GraphError(Exception):
    """A graph that cannot run; holds every fault that was found, not only the first.

    `texts` are those of the graph's files, where they are known, by the names that the spans of the faults give them.
    """

    def __init__(
        self, diagnostics: Sequence[Diagnostic], texts: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(tuple(diagnostics), dict(texts or {}))
        self.diagnostics = tuple(diagnostics)
        self.texts = dict(texts or {})

    def __str__(self) -> str:
        hints = (f"\n  hint: {visible(d.hint)}" if d.hint else "" for d in self.diagnostics)
        return "\n".join(f"{d}{h}" for d, h in zip(self.diagnostics, hints, strict=True))


class GraphWarning(UserWarning):
    """What a graph that is called from Python warns of: a prompt that is cut, a picture that is not finite, an unused node."""


class Unusable(ValueError):
    """What a run was asked to use cannot be used: a place to run, the address of a cache. Says why, and how to mend it."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic)
        self.diagnostic = diagnostic

    def __str__(self) -> str:
        hint = self.diagnostic.hint
        return f"{self.diagnostic}" + (f"; {visible(hint)}" if hint else "")


class Mismatch(ValueError):
    """Values that do not belong together (another CLIP, schedule, condition or width), raised by nodes.

    At check and at run it becomes a `wrong-meaning` diagnostic at the named port.
    """

    def __init__(self, message: str, *, port: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.port = port
        self.hint = hint


class NodeFailed(Exception):
    """A node failed while it ran: says which, where and why, and summarises its inputs; chained to the cause."""

    def __init__(self, diagnostic: Diagnostic, summaries: Mapping[str, str]) -> None:
        super().__init__(diagnostic, dict(summaries))
        self.diagnostic = diagnostic
        self.summaries = dict(summaries)

    def __str__(self) -> str:
        raised = f"\n  raised at {self.diagnostic.raised}" if self.diagnostic.raised else ""
        inputs = "".join(f"\n  {port} = {visible(text)}" for port, text in self.summaries.items())
        return f"{self.diagnostic}{raised}{inputs}"

    @property
    def node(self) -> str | None:
        """Name of the node in the graph."""
        return self.diagnostic.node

    @property
    def span(self) -> Span | None:
        """Where the node stands."""
        return self.diagnostic.span


class Cancelled(Exception):
    """A run was cancelled; what had finished is in the cache."""


def text_of(error: BaseException) -> str:
    """What an error says of itself; nothing where it cannot even say that."""
    try:
        return str(error).strip()
    except Exception:
        return ""
