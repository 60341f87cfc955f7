"""Diagnostics for people (with the line and a caret) and for programs (as JSON)."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nodegraph.errors import Diagnostic


def as_text(found: Diagnostic, sources: Mapping[str, str]) -> str:
    """`file:line:col: E201 unknown-port: …`, the source line with a caret, and the hint."""
    lines = [str(found)]
    if found.span is not None:
        line = _line(found.span.file, found.span.line, sources)
        if line is not None:
            width = (
                found.span.end_column - found.span.column
                if found.span.end_line == found.span.line
                else 1
            )
            margin = f"{found.span.line:>5} | "
            lines += [
                f"{margin}{line}",
                " " * (len(margin) + found.span.column - 1) + "^" * max(1, width),
            ]
    if found.hint:
        lines.append(f"      = hint: {found.hint}")
    return "\n".join(lines)


def _line(file: str, number: int, sources: Mapping[str, str]) -> str | None:
    text = sources.get(file) or sources.get(Path(file).name)
    if text is None:
        try:
            text = Path(file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None
    lines = text.removeprefix("\ufeff").splitlines()
    return lines[number - 1].replace("\t", " ") if 0 < number <= len(lines) else None


def as_json(found: Diagnostic) -> dict[str, Any]:
    """One fault as a dictionary; line and column count from 1."""
    span = found.span
    return {
        "code": found.code,
        "name": found.name,
        "severity": found.severity,
        "message": found.message,
        "file": span.file if span else None,
        "line": span.line if span else None,
        "column": span.column if span else None,
        "end_line": span.end_line if span else None,
        "end_column": span.end_column if span else None,
        "node": found.node,
        "hint": found.hint,
    }


def all_as_text(found: Iterable[Diagnostic], sources: Mapping[str, str]) -> str:
    """Every fault, a blank line between them."""
    return "\n\n".join(as_text(d, sources) for d in found)
