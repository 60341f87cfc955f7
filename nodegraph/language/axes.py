"""Axes over the inputs of a graph, as people give them: on a command line, in files, in Python, in the graph's own sweeps."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from nodegraph.base.codes import Code
from nodegraph.base.diagnostics import GraphError, diagnostic, nearest
from nodegraph.language.graph import EachAxis, Graph
from nodegraph.language.many import Axis, BadRange, is_range, names_of, range_values, twice
from nodegraph.language.rows import BadRow, rows_of
from nodegraph.language.scope import plain
from nodegraph.language.texts import lines_of
from nodegraph.language.yaml import Items, Leaf, Tree, parse

WAYS = "[1, 2, 4], 0..3, 0..1 by 0.25, or @FILE of lines, .csv or .jsonl"
MOST_BYTES = 64 * 2**20
"""Of a file of values."""


class BadAxis(ValueError):
    """An axis that cannot be read: names it, and says how it is written."""


def written_axis(text: str) -> Axis:
    """The axis of `name=values`, or of `a+b=values` for names that go together. Raises BadAxis.

    Values are a list in YAML's brackets, a range, or `@` and the path of a file.
    """
    key, equals, values = text.partition("=")
    names = names_of(key)
    if not equals or not all(names):
        raise BadAxis(f"'{text}' is no axis; write NAME={WAYS}")
    return valued_axis(names, values.strip())


def valued_axis(names: tuple[str, ...], values: str) -> Axis:
    """The axis of names with the text of its values. Raises BadAxis."""
    owner = "+".join(names)
    if values.startswith("@"):
        return _from_file(names, Path(values[1:]))
    if is_range(values):
        try:
            return _axis(names, [(number,) for number in range_values(values)])
        except BadRange as error:
            raise BadAxis(f"{owner}: {error}") from None
    parsed = parse(values, owner) if values.startswith("[") else None
    tree = None if parsed is None or parsed.diagnostics else parsed.tree
    if not isinstance(tree, Items):
        raise BadAxis(f"'{values}' are no values of '{owner}'; write {WAYS}")
    rows = [_row(names, item, values) for item in tree.values]
    return _axis(names, rows, written=True)


def _row(names: tuple[str, ...], item: Tree, text: str) -> tuple[str, ...]:
    """The texts of one row; of names that go together a list of them."""
    if len(names) == 1:
        return (_text(item, text),)
    parts = item.values if isinstance(item, Items) else ()
    if len(parts) != len(names):
        raise BadAxis(f"{' and '.join(names)} go together: write [[a, 1], [b, 2]]")
    return tuple(_text(part, text) for part in parts)


def _text(item: Tree, text: str) -> str:
    if isinstance(item, Leaf) and isinstance(item.value, str):
        return item.value
    return lines_of(text).at(item.span)


def _axis(names: tuple[str, ...], rows: Sequence[tuple[Any, ...]], written: bool = False) -> Axis:
    """The axis, if it has rows, and a value of each row for each of its names. Raises BadAxis."""
    owner = "+".join(names)
    if not rows:
        raise BadAxis(f"'{owner}' has no values; write {WAYS}")
    if any(len(row) != len(names) for row in rows):
        raise BadAxis(f"{' and '.join(names)} go together: {len(names)} values for each")
    return Axis(names, tuple(rows), written)


def _from_file(names: tuple[str, ...], path: Path) -> Axis:
    """The axis of a file: a line for each value, or the columns and keys of its names."""
    owner = "+".join(names)
    try:
        if path.is_file() and path.stat().st_size > MOST_BYTES:
            raise BadAxis(f"{owner}: {path} is larger than {MOST_BYTES // 2**20} MiB")
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise BadAxis(f"{owner}: {path} is not UTF-8 text") from None
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise BadAxis(f"{owner}: {path} cannot be read: {why}") from None
    kind = path.suffix.lower()
    if kind == ".csv":
        return _axis(names, list(_columns(names, text, path)), written=True)
    if kind in (".jsonl", ".ndjson"):
        return _axis(names, list(_records(names, text, path)))
    if len(names) > 1:
        raise BadAxis(f"{owner} go together: {path} must be .csv or .jsonl, with both")
    return _axis(names, [(line,) for line in text.splitlines() if line.strip()], written=True)


def _columns(names: tuple[str, ...], text: str, path: Path) -> Iterator[tuple[str, ...]]:
    reader = csv.DictReader(text.splitlines(keepends=True), restval="")
    heads = list(reader.fieldnames or ())
    for name in names:
        if name not in heads:
            near = nearest(name, heads) or f"it has {', '.join(heads) or 'none'}"
            raise BadAxis(f"{path} has no column '{name}'; {near}")
    for row in reader:
        yield tuple(row[name] or "" for name in names)


def _records(names: tuple[str, ...], text: str, path: Path) -> Iterator[tuple[Any, ...]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            found: Any = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise BadAxis(f"{path}, line {number}: {error}") from None
        if not isinstance(found, dict) and len(names) == 1:
            yield (found,)
            continue
        record = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
        missing = next((name for name in names if name not in record), None)
        if missing is not None:
            raise BadAxis(f"{path}, line {number}: there is no '{missing}'")
        yield tuple(record[name] for name in names)


def python_axes(given: Mapping[str, Any]) -> list[Axis]:
    """The axes of Python values by name; a text is read as on a command line. Raises BadAxis."""
    axes: list[Axis] = []
    for key, values in given.items():
        names = names_of(key)
        if isinstance(values, str):
            axes.append(valued_axis(names, values.strip()))
        elif not isinstance(values, Iterable):
            raise BadAxis(f"'{key}' goes over many values; {values!r} is one")
        else:
            items = list(cast("Iterable[Any]", values))
            rows = [(item,) if len(names) == 1 else tuple(item) for item in items]
            axes.append(_axis(names, rows))
    return axes


def sweep_axes(graph: Graph, name: str) -> list[Axis]:
    """The axes of one of a graph's sweeps. Raises GraphError where there is none, or a value is no value."""
    if name not in graph.sweeps:
        hint = nearest(name, graph.sweeps)
        message = f"the graph has no sweep '{name}'"
        raise GraphError([diagnostic(Code.UNKNOWN_SWEEP, message, None, hint)])
    return [_of_file(axis) for axis in graph.sweeps[name]]


def _of_file(axis: EachAxis) -> Axis:
    try:
        rows = [tuple(map(plain, row)) for row in rows_of(axis)]
    except BadRow as error:
        raise GraphError([diagnostic(Code.WRONG_STRUCTURE, str(error), error.span)]) from None
    return Axis(axis.names, tuple(rows))


def no_name_twice(axes: Sequence[Axis]) -> None:
    """Raises BadAxis where an input stands in two axes."""
    double = twice([axis.names for axis in axes])
    if double is not None:
        raise BadAxis(f"'{double}' stands in two axes; let each input vary once")
