"""Diagnostics as the API tells them: lines from 1, columns from 1 in UTF-16 units, as browsers count."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nodegraph.base.diagnostics import Diagnostic
from nodegraph.base.render import as_json

COLUMNS = ("column", "line"), ("end_column", "end_line")


def as_problem_list(found: Iterable[Diagnostic], texts: Mapping[str, str]) -> list[dict[str, Any]]:
    """Each fault as `nodegraph check --json` has it, but for its columns and the folders of its files."""
    lines = {name: text.removeprefix("\ufeff").splitlines() for name, text in texts.items()}
    return [_told(fault, lines) for fault in found]


def _told(fault: Diagnostic, lines: Mapping[str, list[str]]) -> dict[str, Any]:
    told = _placed(as_json(fault), lines)
    return {**told, "fix": [_placed(edit, lines) for edit in told["fix"]]}


def _placed(place: dict[str, Any], lines: Mapping[str, list[str]]) -> dict[str, Any]:
    """A place with columns of UTF-16, and the name of its file relative to where graphs lie."""
    file = place.get("file")
    if file is None:
        return place
    columns = {c: units(lines.get(file, []), place[line], place[c]) for c, line in COLUMNS}
    return {**place, **columns, "file": relative(file)}


def units(lines: list[str], line: int, column: int) -> int:
    """A column of code points as one of UTF-16 units."""
    text = lines[line - 1][: column - 1] if 0 < line <= len(lines) else ""
    return column + sum(ord(character) > 0xFFFF for character in text)


def relative(file: str) -> str:
    """A file below the folder of work by its path from there, one elsewhere by its name alone."""
    path = Path(file)
    if not path.is_absolute():
        return file
    here = Path.cwd()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else path.name
