"""YAML text → a tree in which every value knows its place. Built from libyaml's events, without recursion."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from nodegraph.base.codes import Code
from nodegraph.base.diagnostics import Diagnostic, Span, diagnostic
from nodegraph.language.scalars import LongNumber, Scalar, plain

MAX_DEPTH = 64
MOST_FAULTS = 2_000
"""Faults that are told; who has more of them is told that there are more."""
QUOTE_IT = "quote the text, if it is one"
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A scalar: its value, and whether it was quoted."""

    value: Scalar
    quoted: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    values: tuple["Tree", ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of a mapping with its value."""

    key: str
    value: "Tree"
    span: Span
    """Where the key stands."""


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping, in the order of the text."""

    entries: tuple[Entry, ...]
    span: Span

    def get(self, key: str) -> "Tree | None":
        """The value of a key, or None."""
        return next((e.value for e in self.entries if e.key == key), None)


Tree = Leaf | Items | Table


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not come yet."""

    mapping: bool
    start: Any
    values: list[Tree]
    entries: list[Entry]
    names: set[str]
    key: Leaf | None = None


@dataclass(frozen=True, slots=True)
class Parsed:
    """The tree (as far as it could be read) and what is wrong with the text."""

    tree: Tree | None
    diagnostics: tuple[Diagnostic, ...]


class _Reader:
    def __init__(self, file: str) -> None:
        self.file = file
        self.diagnostics: list[Diagnostic] = []
        self.open: list[_Open] = []
        self.root: Tree | None = None

    def span(self, start: Any, end: Any) -> Span:
        return Span(self.file, start.line + 1, start.column + 1, end.line + 1, end.column + 1)

    def fault(self, code: Code, message: str, event: Any, hint: str | None = None) -> None:
        self.diagnostics.append(
            diagnostic(code, message, self.span(event.start_mark, event.end_mark), hint)
        )

    def awaits_key(self) -> bool:
        """Whether the next value is a key of the innermost mapping."""
        return bool(self.open) and self.open[-1].mapping and self.open[-1].key is None

    def take(self, tree: Tree) -> None:
        """A finished value goes where the innermost open collection wants it."""
        if not self.open:
            self.root = tree
            return
        top = self.open[-1]
        if not top.mapping:
            top.values.append(tree)
        elif top.key is None:
            top.key = self.as_key(tree)
        else:
            self.add(top, top.key, tree)
            top.key = None

    def as_key(self, tree: Tree) -> Leaf:
        if isinstance(tree, Leaf):
            if tree.value == "<<" and not tree.quoted:
                self.diagnostics.append(
                    diagnostic(
                        Code.YAML_FEATURE, "merge keys are not part of the format", tree.span
                    )
                )
            return tree
        self.diagnostics.append(diagnostic(Code.WRONG_STRUCTURE, "a key must be a word", tree.span))
        return Leaf("", True, tree.span)

    def add(self, top: _Open, key: Leaf, value: Tree) -> None:
        name = str(key.value)
        if name in top.names:
            message = f"the key '{name}' stands twice here"
            self.diagnostics.append(
                diagnostic(Code.DUPLICATE_KEY, message, key.span, "remove or rename one of them")
            )
            return
        top.names.add(name)
        top.entries.append(Entry(name, value, key.span))

    def close(self, end: Any) -> None:
        top = self.open.pop()
        span = self.span(top.start, end)
        self.take(
            Table(tuple(top.entries), span) if top.mapping else Items(tuple(top.values), span)
        )


def parse(text: str, file: str) -> Parsed:
    """Read a text. After a syntax error the part before it is still returned, so that it can be checked too."""
    reader = _Reader(file)
    try:
        _consume(reader, yaml.parse(text.removeprefix("\ufeff"), Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        unclosed = error.context_mark is not None and "end of stream" in str(error.problem)
        mark: Any = error.context_mark if unclosed else error.problem_mark or error.context_mark
        span = (
            Span(file, mark.line + 1, mark.column + 1, mark.line + 1, mark.column + 2)
            if mark
            else None
        )
        problem = error.problem or error.context or "cannot be read"
        hint = _syntax_hint(str(problem), error.context_mark, _behind(text, mark))
        reader.diagnostics.append(diagnostic(Code.YAML_SYNTAX, str(problem), span, hint))
    except UnicodeEncodeError:
        message = "the text holds half of a surrogate pair, which is no character"
        reader.diagnostics.append(diagnostic(Code.YAML_SYNTAX, message, Span(file, 1, 1, 1, 2)))
    except yaml.YAMLError as error:
        reader.diagnostics.append(
            diagnostic(Code.YAML_SYNTAX, str(error).splitlines()[0], Span(file, 1, 1, 1, 2))
        )
    while reader.open:
        reader.close(reader.open[-1].start)
    return Parsed(reader.root, tuple(reader.diagnostics))


def _behind(text: str, mark: Any) -> str:
    """The rest of the line at a mark."""
    lines = text.removeprefix("\ufeff").splitlines()
    line, column = (-1, 0) if mark is None else (int(mark.line), int(mark.column))
    return lines[line][column:] if 0 <= line < len(lines) else ""


_QUOTE = "quote a text that has ': ' in it"
_HINTS = {
    "mapping values are not allowed": f"{_QUOTE}; keys of one mapping start in the same column",
    "expected key": "keys of one mapping start in the same column; quote a text that has quotes or brackets in it",
    "cannot start": "use blanks, not tabs, and quote a text that begins with a special character",
    "end of stream": "what is opened here is never closed",
    "alphabetic or numeric": "quote a text that begins with '*' or '&'",
    "expected node content": QUOTE_IT,
    "entries are not allowed": QUOTE_IT,
    "keys are not allowed": QUOTE_IT,
    "comment or line break": QUOTE_IT,
    "unexpected ':'": QUOTE_IT,
}


def _syntax_hint(problem: str, opened: Any, rest: str) -> str | None:
    if "expected ','" in problem and opened is not None:
        line = f"what is opened in line {opened.line + 1} is not closed"
        if rest.startswith(":"):
            return f"{_QUOTE}, or {line}"
        return f"{line}, a comma is missing, or a text is not quoted"
    return next((hint for part, hint in _HINTS.items() if part in problem), None)


def _consume(reader: _Reader, events: Iterator[Any]) -> None:
    documents = 0
    for event in events:
        if len(reader.diagnostics) > MOST_FAULTS:
            return
        name = type(event).__name__
        if name == "ScalarEvent":
            reader.take(_leaf(reader, event))
        elif name in ("MappingStartEvent", "SequenceStartEvent"):
            if len(reader.open) >= MAX_DEPTH:
                reader.fault(Code.TOO_DEEP, f"nested more than {MAX_DEPTH} deep", event)
                return
            _refuse_marks(reader, event)
            reader.open.append(_Open(name == "MappingStartEvent", event.start_mark, [], [], set()))
        elif name in ("MappingEndEvent", "SequenceEndEvent"):
            reader.close(event.end_mark)
        elif name == "AliasEvent":
            message = f"the alias '*{event.anchor}' is not part of the format"
            reader.fault(Code.YAML_FEATURE, message, event, QUOTE_IT)
            empty = "" if reader.awaits_key() else None
            reader.take(Leaf(empty, False, reader.span(event.start_mark, event.end_mark)))
        elif name == "DocumentStartEvent":
            documents += 1
            if documents > 1:
                reader.fault(
                    Code.YAML_FEATURE, "a graph file holds one document", event, "remove the '---'"
                )
                return


def _leaf(reader: _Reader, event: Any) -> Leaf:
    _refuse_marks(reader, event)
    quoted = bool(event.style)
    by_its_text = quoted or reader.awaits_key()
    try:
        value: Scalar = event.value if by_its_text else plain(event.value)
    except LongNumber as error:
        reader.fault(Code.LONG_NUMBER, str(error), event, "quote it, if it is a text")
        value = None
    return Leaf(value, quoted, reader.span(event.start_mark, event.end_mark))


def _refuse_marks(reader: _Reader, event: Any) -> None:
    if event.anchor is not None:
        message = f"the anchor '&{event.anchor}' is not part of the format"
        reader.fault(Code.YAML_FEATURE, message, event, QUOTE_IT)
    if event.tag is not None:
        message = f"the tag '{event.tag}' is not part of the format"
        reader.fault(Code.YAML_FEATURE, message, event, QUOTE_IT)
