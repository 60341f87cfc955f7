"""A graph's text with its tree: where each entry begins and ends, among comments and blank lines."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from nodegraph.base.codes import Code
from nodegraph.base.diagnostics import Diagnostic, GraphError, Span, diagnostic
from nodegraph.language.texts import Lines, lines_of
from nodegraph.language.yaml import Entry, Items, Leaf, Table, Tree, parse

Path = Sequence[str]
"""The keys that lead to a value."""
_UNREADABLE = (Code.YAML_SYNTAX, Code.TOO_DEEP)
_PROPERTIES = re.compile(r"([&!]\S*\s+)*")


@dataclass(frozen=True)
class Document:
    """A text that was read; offsets count characters from its beginning."""

    text: str
    file: str
    tree: Table
    faults: tuple[Diagnostic, ...]

    @cached_property
    def lines(self) -> Lines:
        """Its lines."""
        return lines_of(self.text)

    @cached_property
    def marked(self) -> frozenset[tuple[int, int]]:
        """Where values begin that have an anchor or a tag, or are aliases."""
        spans = [fault.span for fault in self.faults if fault.code == Code.YAML_FEATURE]
        return frozenset((span.line, span.column) for span in spans if span)

    def is_marked(self, tree: Tree) -> bool:
        """Whether a value has an anchor or a tag, or is an alias."""
        return (tree.span.line, tree.span.column) in self.marked

    def find(self, path: Path) -> Entry | None:
        """The entry that a path leads to."""
        table: Tree = self.tree
        found: Entry | None = None
        for key in path:
            entries = table.entries if isinstance(table, Table) else ()
            found = next((e for e in entries if e.key == key), None)
            if found is None:
                return None
            table = found.value
        return found

    def value(self, path: Path) -> Tree | None:
        """What stands at a path."""
        found = self.find(path) if path else None
        return found.value if found else None if path else self.tree

    def start(self, tree: Tree) -> int:
        """Where a value begins."""
        return self.lines.range(tree.span)[0]

    def key_end(self, entry: Entry) -> int:
        """Where a key ends."""
        return self.lines.range(entry.span)[1]

    def key_start(self, entry: Entry, after: int) -> int:
        """Where an entry begins: at its key, or at the `?` before it. `after`: where what stands before it ends."""
        start = self.lines.range(entry.span)[0]
        signs = [at for at, sign in self.signs(after, start) if sign == "?"]
        return signs[-1] if signs else start

    def colon(self, entry: Entry) -> int | None:
        """Behind the colon of an entry; None where it has none."""
        signs = self.signs(self.key_end(entry), self.start(entry.value))
        return next((at + 1 for at, sign in signs if sign == ":"), None)

    def is_empty(self, tree: Tree) -> bool:
        """Whether nothing is written for a value."""
        return isinstance(tree, Leaf) and not self.lines.at(tree.span)

    def is_block(self, tree: Tree) -> bool:
        """Whether a value is written on lines of its own: a list or mapping without brackets, or a text after `|` or `>`."""
        start = _PROPERTIES.match(self.text, self.start(tree))
        sign = self.text[start.end() : start.end() + 1] if start else ""
        if isinstance(tree, Leaf):
            return tree.quoted and sign in ("|", ">")
        return sign not in ("{", "[")

    def keeps_blank_lines(self, tree: Tree) -> bool:
        """Whether the blank lines after a value are a part of it: `|+`."""
        while isinstance(tree, Table | Items) and self.is_block(tree):
            parts = self.parts(tree)
            if not parts:
                return False
            tree = parts[-1]
        head = self.text[self.start(tree) : self.lines.end(self.start(tree))]
        return isinstance(tree, Leaf) and self.is_block(tree) and "+" in head.split("#")[0]

    def parts(self, tree: Table | Items) -> tuple[Tree, ...]:
        """The values in a list or mapping."""
        return tree.values if isinstance(tree, Items) else tuple(e.value for e in tree.entries)

    def end(self, tree: Tree) -> int:
        """Where a value ends, without the blank lines and comments behind it."""
        start, end = self.lines.range(tree.span)
        if isinstance(tree, Leaf):
            written = self.text[start:end]
            return start + len(written.rstrip() if self.is_block(tree) else written)
        if not self.is_block(tree):
            return end
        if isinstance(tree, Table) and tree.entries:
            return self.entry_end(tree.entries[-1])
        return self.end(tree.values[-1]) if isinstance(tree, Items) and tree.values else start

    def entry_end(self, entry: Entry) -> int:
        """Where an entry ends: with its value, or with what stands for an empty one."""
        if self.is_empty(entry.value):
            return self.colon(entry) or self.key_end(entry)
        return self.end(entry.value)

    def signs(self, start: int, end: int) -> Iterator[tuple[int, str]]:
        """The characters between two values that are neither blank nor in a comment, each with its place."""
        at = start
        while at < end:
            if self.text[at] == "#":
                at = self.lines.end(at)
            else:
                if not self.text[at].isspace():
                    yield at, self.text[at]
                at += 1

    def has_comment(self, start: int, end: int) -> bool:
        """Whether a comment stands in a stretch of the text that holds no values."""
        at = start
        while at < end and self.text[at] != "#":
            at += 1
        return at < end

    def span(self, start: int, end: int) -> Span:
        """The span of the characters `start … end`."""
        return self.lines.span(self.file, start, end)


@lru_cache(maxsize=2)
def opened(text: str, file: str) -> Document:
    """The document of a text, kept for the next edit of the same one. Raises GraphError where it is none that can be edited."""
    parsed = parse(text, file)
    bad = [fault for fault in parsed.diagnostics if fault.code in _UNREADABLE]
    if bad:
        raise GraphError(bad)
    if not isinstance(parsed.tree, Table):
        where = parsed.tree.span if parsed.tree else Span(file, 1, 1, 1, 2)
        message, hint = "not a graph: it is a mapping with 'nodes' and 'outputs'", "write: graph: 1"
        raise GraphError([diagnostic(Code.WRONG_STRUCTURE, message, where, hint)])
    return Document(text, file, parsed.tree, parsed.diagnostics)


def meaning(tree: Tree | None) -> Any:
    """What a value says, without its form: mappings, lists, and scalars with their types."""
    if isinstance(tree, Table):
        return {entry.key: meaning(entry.value) for entry in tree.entries}
    if isinstance(tree, Items):
        return [meaning(value) for value in tree.values]
    value = tree.value if tree else None
    return type(value).__name__, value if isinstance(value, str) else repr(value)


def complaints(faults: tuple[Diagnostic, ...]) -> Counter[tuple[str, str]]:
    """The faults of a text without their places."""
    return Counter((fault.code, fault.message) for fault in faults)
