"""Nodes between tables."""

from typing import Annotated

import numpy as np

from nodegraph import Doc, Mismatch, Range, node
from nodes.wires.tables import Table


def _abstract_means(table: Table, columns: list[str]) -> Table:
    for column in columns:
        table.numbers(column, "columns")
    return Table(("name", "x", "rows", *columns, *(f"{c}_se" for c in columns)), ())


@node(
    words=("average", "statistics", "standard error"),
    abstract=_abstract_means,
    version=2,
    renames={1: {"each": "samples"}},
)
def mean_row(
    table: Table,
    columns: Annotated[list[str], Doc("Columns of numbers.")],
    name: Annotated[str, Doc("What the row stands for: a technique, a model.")] = "",
    x: Annotated[float, Doc("Where it stands on a curve: a scale, a number of pictures.")] = 0.0,
    samples: Annotated[
        int, Range(1), Doc("Consecutive rows that are samples of one case; errors are over cases.")
    ] = 1,
) -> Table:
    """Means of columns in one row, with their standard errors over cases in columns `_se`.

    Columns of 0 and 1 have the standard error √(p (1 − p) / n). Rows of several tables are joined by `merge_tables`.
    Raises Mismatch for an absent column or one of texts, and for a number of rows that is 0 or no multiple of `samples`.
    """
    if not table.rows:
        raise Mismatch("the table has no rows", port="table")
    if len(table.rows) % samples:
        raise Mismatch(f"{len(table.rows)} rows are no cases of {samples}", port="samples")
    values = np.array([table.numbers(column, "columns") for column in columns], float)  # [C, N]
    cases = values.reshape(len(columns), -1, samples).mean(2)  # [C, N / samples]
    means, errors = cases.mean(1), cases.std(1) / max(1, cases.shape[1]) ** 0.5
    row = (name, x, len(table.rows), *(round(float(v), 6) for v in (*means, *errors)))
    return Table(_abstract_means(table, columns).columns, (row,))


@node(words=("concatenate",))
def merge_tables(tables: list[Table]) -> Table:
    """Tables with the same columns, one below the other. Raises Mismatch on other columns."""
    columns = tables[0].columns if tables else ()
    for table in tables:
        if table.columns != columns:
            raise Mismatch(
                f"the tables have other columns: {columns} and {table.columns}", port="tables"
            )
    return Table(columns, tuple(row for table in tables for row in table.rows))
