"""Diagnostics for people (with the line and a caret) and for programs (as JSON)."""

from collections.abc import Iterable, Mapping
from typing import Any

from nodegraph.base.diagnostics import Diagnostic, Edit, Span
from nodegraph.base.visible import visible, visible_line

WINDOW = 160
"""Columns of a source line that are shown."""


def as_text(found: Diagnostic, sources: Mapping[str, str]) -> str:
    """`file:line:col: E201 unknown-port: …`, the source line with a caret, and the hint; controls are shown as `\\x1b`.

    `sources` are the texts of the graph files, by the names that spans give them; no file is read.
    """
    return texts_of([found], sources)[0]


def all_as_text(found: Iterable[Diagnostic], sources: Mapping[str, str]) -> str:
    """Every fault as `as_text`, a blank line between them."""
    return "\n\n".join(texts_of(found, sources))


def texts_of(found: Iterable[Diagnostic], sources: Mapping[str, str]) -> list[str]:
    """Each fault as `as_text`."""
    lines = {name: text.removeprefix("\ufeff").splitlines() for name, text in sources.items()}
    return [_as_text(fault, lines) for fault in found]


def _as_text(found: Diagnostic, sources: Mapping[str, list[str]]) -> str:
    said = [str(found).replace("\n", "\n      ")]
    lines = sources.get(found.span.file, []) if found.span is not None else []
    if found.span is not None and 0 < found.span.line <= len(lines):
        said += _pointed(lines[found.span.line - 1], found.span)
    if found.raised:
        said.append(f"      = raised at {visible_line(found.raised)}")
    if found.hint:
        said.append(f"      = hint: {visible_line(found.hint)}")
    return "\n".join(said)


def _pointed(line: str, span: Span) -> list[str]:
    """The part of a source line around a span, and a caret under it."""
    first = max(0, span.column - 1 - WINDOW // 2) if len(line) > WINDOW else 0
    width = span.end_column - span.column if span.end_line == span.line else 1
    line = line.replace("\t", " ")
    before = visible(line[first : span.column - 1])
    marked = visible(line[span.column - 1 : span.column - 1 + max(1, width)])[:WINDOW]
    after = visible(line[span.column - 1 + max(1, width) : first + WINDOW])
    left, right = "… " * (first > 0), " …" * (first + WINDOW < len(line))
    margin = f"{span.line:>5} | {left}"
    caret = " " * (len(margin) + len(before)) + "^" * max(1, len(marked))
    return [f"{margin}{before}{marked}{after}{right}", caret]


def as_json(found: Diagnostic) -> dict[str, Any]:
    """One fault as a dictionary; line and column count from 1. `fix`: what to write where, all of it together."""
    return {
        "code": found.code,
        "name": found.name,
        "severity": found.severity,
        "message": found.message,
        **_place(found.span),
        "node": found.node,
        "hint": found.hint,
        "raised": found.raised,
        "fix": [_edit(edit) for edit in found.fix],
    }


def _edit(edit: Edit) -> dict[str, Any]:
    return {**_place(edit.span), "text": edit.text}


def _place(span: Span | None) -> dict[str, Any]:
    names = ("file", "line", "column", "end_line", "end_column")
    return {name: getattr(span, name, None) for name in names}
