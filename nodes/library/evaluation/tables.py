"""Nodes between tables."""

from typing import Annotated

import numpy as np

from nodegraph import Doc, Mismatch, Range, node
from nodes.measures.bootstrap import Interval, mean_intervals, resampled_counts
from nodes.measures.order import best_of
from nodes.wires.scalars import Seed
from nodes.wires.tables import Table

Columns = Annotated[list[str], Doc("Columns of numbers.")]
Name = Annotated[str, Doc("What the row stands for: a technique, a model.")]
Place = Annotated[float, Doc("Where it stands on a curve: a scale, a number of pictures.")]
Samples = Annotated[
    int, Range(1), Doc("Consecutive rows that are samples of one case; errors are over cases.")
]
Resamples = Annotated[int, Range(100, 100_000), Doc("Draws of as many cases with replacement.")]


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
    table: Table, columns: Columns, name: Name = "", x: Place = 0.0, samples: Samples = 1
) -> Table:
    """Means of columns in one row, with their standard errors over cases in columns `_se`.

    Columns of 0 and 1 have the standard error √(p (1 − p) / n). Rows of several tables are joined by `merge_tables`.
    Raises Mismatch for an absent column or one of texts, and for a number of rows that is 0 or no multiple of `samples`.
    """
    cases = _by_case(table, columns, samples).mean(2)  # [C, N]
    means, errors = cases.mean(1), cases.std(1) / max(1, cases.shape[1]) ** 0.5
    row = (name, x, len(table.rows), *(round(float(v), 6) for v in (*means, *errors)))
    return Table(_abstract_means(table, columns).columns, (row,))


def _by_case(table: Table, columns: list[str], samples: int) -> np.ndarray:
    """Columns of numbers, [C, N, samples]. Raises Mismatch as the nodes that read them."""
    if not table.rows:
        raise Mismatch("the table has no rows", port="table")
    if len(table.rows) % samples:
        raise Mismatch(f"{len(table.rows)} rows are no cases of {samples}", port="samples")
    values = np.array([table.numbers(column, "columns") for column in columns], float)
    return values.reshape(len(columns), -1, samples)


def interval_columns(names: list[str]) -> tuple[str, ...]:
    """Names of figures, each with those of both ends of its interval."""
    return tuple(f"{name}{end}" for name in names for end in ("", "_low", "_high"))


def interval_cells(intervals: tuple[Interval, ...]) -> tuple[float, ...]:
    """What stands in those columns."""
    return tuple(round(v, 6) for i in intervals for v in (i.value, i.low, i.high))


def _abstract_intervals(table: Table, columns: list[str], minus: Table | None) -> Table:
    for column in columns:
        table.numbers(column, "columns")
        if minus is not None:
            minus.numbers(column, "minus")
    return Table(("name", "x", "rows", *interval_columns(columns)), ())


@node(words=("confidence interval", "statistics", "average"), abstract=_abstract_intervals)
def bootstrap_row(
    table: Table,
    columns: Columns,
    name: Name = "",
    x: Place = 0.0,
    samples: Samples = 1,
    minus: Annotated[
        Table | None, Doc("Rows of the same cases: the row is then one of differences to them.")
    ] = None,
    resamples: Resamples = 10_000,
    seed: Seed = 0,
) -> Table:
    """Means of columns in one row, with the ends of their 95 % intervals in columns `_low` and `_high`.

    Percentiles of the bootstrap over cases; where all cases are alike the interval is empty. Raises Mismatch as `mean_row`,
    and for other numbers of cases in `minus`. Ref: Efron 1979.
    """
    cases = _by_case(table, columns, samples).mean(2)  # [C, N]
    if minus is not None:
        cases = cases - _others(minus, columns, samples, cases.shape[1])
    found = mean_intervals(cases, resampled_counts(cases.shape[1], resamples, seed))
    row = (name, x, len(table.rows), *interval_cells(found))
    return Table(_abstract_intervals(table, columns, None).columns, (row,))


def _others(minus: Table, columns: list[str], samples: int, cases: int) -> np.ndarray:
    """What is subtracted, [C, N]. Raises Mismatch for other cases than N."""
    if len(minus.rows) != cases * samples:
        counts = f"{len(minus.rows)} rows, not {cases * samples}"
        raise Mismatch(f"what is subtracted has {counts}", port="minus")
    for column in columns:
        minus.numbers(column, "minus")
    return _by_case(minus, columns, samples).mean(2)


def _abstract_added(table: Table, other: Table, column: str, name: str) -> Table:
    other.column(column, "column")
    if (name or column) in table.columns:
        raise Mismatch(f"there is a column '{name or column}' already", port="name")
    return Table((*table.columns, name or column), ())


@node(words=("join", "beside"), abstract=_abstract_added)
def add_column(
    table: Table,
    other: Annotated[Table, Doc("A table with as many rows, in the same order.")],
    column: Annotated[str, Doc("The column of it that is added.")],
    name: Annotated[str, Doc("What it is called; empty: as it was.")] = "",
) -> Table:
    """A table with one more column, of another. Raises Mismatch for other numbers of rows, or a name that is taken."""
    columns = _abstract_added(table, other, column, name).columns
    if len(other.rows) != len(table.rows):
        raise Mismatch(f"{len(other.rows)} rows beside {len(table.rows)}", port="other")
    added = zip(table.rows, other.column(column, "column"), strict=True)
    return Table(columns, tuple((*row, value) for row, value in added))


def _abstract_best(table: Table, columns: list[str], score: str) -> Table:
    table.numbers(score, "score")
    for column in columns:
        table.numbers(column, "columns")
    return Table(("case", *columns), ())


@node(words=("rerank", "choose", "DALL·E", "order statistics"), abstract=_abstract_best)
def best_of_n(
    table: Table,
    columns: Columns,
    score: Annotated[str, Doc("The column that decides.")],
    samples: Annotated[int, Range(1), Doc("Consecutive rows that are samples of one case.")],
    n: Annotated[int, Range(1), Doc("Samples that are drawn; the best of them counts.")] = 1,
) -> Table:
    """Columns at the sample with the highest score among n, one row a case.

    The mean over all ways to draw n of a case's samples, so that few samples serve every n: n = 1 is their mean, n = `samples`
    the best of all. Raises Mismatch as `mean_row`, and for more than there are. Ref: Ramesh et al. 2021 (DALL·E), §2.6.
    """
    if n > samples:
        raise Mismatch(f"of {samples} samples {n} cannot be drawn", port="n")
    values = _by_case(table, columns, samples)
    scores = _by_case(table, [score], samples)[0]
    found = best_of(scores, values, n).T  # [N, C]
    rows = tuple((i, *(round(float(v), 6) for v in row)) for i, row in enumerate(found))
    return Table(("case", *columns), rows)


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
