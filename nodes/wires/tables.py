"""Tables on a wire."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

from nodegraph.base import markup
from nodegraph.base.diagnostics import Mismatch, nearest
from nodegraph.base.framing import digest
from nodegraph.base.paths import LargeFile, NoFile, read_text, why
from nodegraph.library.port import Context, PortType
from nodes.wires.identities import of_file

LARGEST = 64 * 2**20
"""Bytes of a CSV file."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of plain values under named columns: curves, scores, counts."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def column(self, name: str, port: str | None = None) -> list[Any]:
        """The values of one column. Raises Mismatch, at the port that names it, for one that is not there."""
        if name not in self.columns:
            message = f"no column '{name}'; there are {', '.join(self.columns) or 'none'}"
            raise Mismatch(message, port=port, hint=nearest(name, self.columns))
        at = self.columns.index(name)
        return [row[at] for row in self.rows]

    def numbers(self, name: str, port: str | None = None) -> list[Any]:
        """The values of a column of numbers; None where one is missing. Raises Mismatch as `column`, and for texts."""
        values = self.column(name, port)
        for row, value in enumerate(values, 1):
            if value is not None and not isinstance(value, Real):
                message = f"column '{name}' holds no numbers: row {row} is {value!r:.80}"
                raise Mismatch(message, port=port, hint="choose a column of numbers")
        return values

    def _repr_html_(self) -> str:
        return markup.table(self.columns, self.rows)


def _dump_table(value: Table, folder: Path) -> None:
    record = {"columns": value.columns, "rows": value.rows}
    (folder / "table.json").write_text(json.dumps(record), encoding="utf-8")


def _load_table(folder: Path) -> Table:
    record = json.loads((folder / "table.json").read_text(encoding="utf-8"))
    return Table(tuple(record["columns"]), tuple(tuple(row) for row in record["rows"]))


def _write_table(
    value: Table, folder: Path, stem: str, provenance: Mapping[str, str]
) -> Sequence[Path]:
    path = folder / f"{stem}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(value.columns)
        writer.writerows(value.rows)
    return [path]


def _read_table(literal: Any, context: Context) -> Table:
    """A CSV file with a row of column names; what is a number everywhere in a column is read as numbers.

    Raises ValueError naming the file, and the line, where it is none.
    """
    try:
        text = read_text(context.readable(str(literal)), LARGEST)
        columns, *rows = _rows(text.removeprefix("\ufeff"))
    except (NoFile, LargeFile, UnicodeDecodeError) as error:
        raise ValueError(f"'{literal}' is no table: {why(error)}") from None
    except (csv.Error, ValueError) as error:
        raise ValueError(f"'{literal}' is no table: {error}") from None
    values = [_numbers(column) for column in zip(*rows, strict=True)]
    return Table(tuple(columns), tuple(zip(*values, strict=True)))


def _rows(text: str) -> list[list[str]]:
    """The rows of a CSV text, all of one length; blank lines are none. Raises ValueError with the line, csv.Error."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[list[str]] = []
    for row in filter(None, reader):
        rows.append(row)
        if len(row) != len(rows[0]):
            counts = f"{len(row)} values, the first row {len(rows[0])}"
            raise ValueError(f"line {reader.line_num} has {counts}")
    if not rows:
        raise ValueError("it is empty")
    return rows


def _numbers(column: Sequence[str]) -> Sequence[str | float]:
    try:
        return [float(value) for value in column]
    except ValueError:
        return column


def _check_table(value: Table) -> str | None:
    wrong = any(len(row) != len(value.columns) for row in value.rows)
    return f"every row of its {len(value.columns)} columns" if wrong else None


PORT_TYPES: dict[type, PortType] = {
    Table: PortType(
        "Table",
        "Rows of plain values under named columns; a CSV file.",
        literal="path",
        colour="#64748b",
        shape="square",
        parse=_read_table,
        identify=of_file,
        digest=digest,
        dump=_dump_table,
        load=_load_table,
        write=_write_table,
        check=_check_table,
    ),
}
