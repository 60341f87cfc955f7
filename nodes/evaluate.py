"""Nodes that measure, and draw what they measured."""

import io
from typing import Annotated, Any

import numpy as np

from nodegraph import Doc, Mismatch, Range, node
from nodes.shapes.oracle import PARTS, judge
from nodes.wires.figures import Figure
from nodes.wires.pictures import Image, to_bytes
from nodes.wires.scalars import Text
from nodes.wires.tables import Table
from nodes.wires.tensors import Signal


def _abstract_oracle() -> Table:
    return Table(("caption", *PARTS), ())


@node(category="evaluation", words=("accuracy", "judge"), abstract=_abstract_oracle)
def shapes_oracle(
    images: Image,
    captions: Annotated[list[Text], Doc("One for all, or one for each stretch of pictures.")],
) -> Table:
    """What the oracle of the shapes world finds in pictures: one row each, with every part of its caption right or not.

    Raises Mismatch for pictures that cannot be shared out over the captions.
    """
    pictures = to_bytes(images)
    if not captions or len(pictures) % len(captions):
        raise Mismatch(f"{len(captions)} captions for {len(pictures)} pictures", port="captions")
    wanted = [caption for caption in captions for _ in range(len(pictures) // len(captions))]
    verdicts = [judge(caption, picture) for caption, picture in zip(wanted, pictures, strict=True)]
    rows = tuple(
        (w, *(int(getattr(v, p)) for p in PARTS)) for w, v in zip(wanted, verdicts, strict=True)
    )
    return Table(("caption", *PARTS), rows)


def _abstract_means(table: Table, columns: list[str]) -> Table:
    for column in columns:
        table.numbers(column, "columns")
    return Table(("name", "x", "rows", *columns, *(f"{c}_se" for c in columns)), ())


@node(
    category="evaluation",
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
        int, Range(1), Doc("So many rows in a row are of one case, and no cases of their own.")
    ] = 1,
) -> Table:
    """Means of columns in one row, with their standard errors over cases in columns `_se`.

    Shares of 0 and 1 have the error √(p (1 − p) / n). Rows of several tables are joined by `merge_tables`. Raises Mismatch
    for an absent column or one of texts, and when there are no rows, or some are left over.
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


def _abstract_lines(table: Table, x: str, y: list[str], by: str) -> Figure:
    for port, names in {"x": [x], "by": [by] if by else []}.items():
        for name in names:
            table.column(name, port)
    for name in y:
        table.numbers(name, "y")
    return Figure(b"")


@node(category="evaluation", words=("curve", "chart"), abstract=_abstract_lines)
def plot_lines(
    table: Table,
    x: Annotated[str, Doc("Column on the horizontal axis.")],
    y: Annotated[list[str], Doc("Columns that are drawn, each as a line.")],
    title: str = "",
    log_y: bool = False,
    by: Annotated[str, Doc("Column whose values tell lines apart; empty: none.")] = "",
    x_label: Annotated[str, Doc("What stands below the axis; empty: the column's name.")] = "",
) -> Figure:
    """Columns of a table as lines; a column `NAME_se` becomes error bars of `NAME`.

    Raises Mismatch for an absent one, and for one of texts that is to be drawn. Names are drawn as they are.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Drawing

    drawing = Drawing(figsize=(6.4, 4.0), dpi=120, layout="constrained")
    axes = drawing.add_subplot()
    for word, part in _parts(table, by).items():
        for name in y:
            errors = part.numbers(f"{name}_se") if f"{name}_se" in part.columns else None
            label = " ".join(w for w in (word, name if len(y) > 1 or not by else "") if w)
            axes.errorbar(
                part.column(x, "x"),
                part.numbers(name, "y"),
                yerr=errors,
                marker="o",
                markersize=3,
                label=label,
            )
    axes.set(xlabel=x_label or x, title=title, yscale="log" if log_y else "linear")
    legend = axes.legend()
    axes.grid(alpha=0.3)
    _as_they_are(axes.title, axes.xaxis.label, *legend.get_texts())
    return _figure(FigureCanvasAgg(drawing))


def _as_they_are(*texts: Any) -> None:
    """Names and titles are no formulas: what stands between two `$` is drawn as it is."""
    for text in texts:
        text.set_parse_math(False)


def _parts(table: Table, by: str) -> dict[str, Table]:
    """Rows with the same value in a column as a table each, in their order; the whole table where no column is named."""
    if not by:
        return {"": table}
    found: dict[str, list[tuple[Any, ...]]] = {}
    for value, row in zip(table.column(by, "by"), table.rows, strict=True):
        found.setdefault(str(value), []).append(row)
    return {value: Table(table.columns, tuple(rows)) for value, rows in found.items()}


def _abstract_points(points: Signal) -> Figure:
    if points.ndim != 2 or points.shape[1] != 2:
        raise Mismatch(f"points in the plane are [B, 2], not {list(points.shape)}", port="points")
    return Figure(b"")


@node(category="evaluation", words=("scatter", "point cloud"), abstract=_abstract_points)
def plot_points(points: Signal, title: str = "") -> Figure:
    """Points [B, 2] in the plane."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Drawing

    drawing = Drawing(figsize=(4.5, 4.5), dpi=120, layout="constrained")
    axes = drawing.add_subplot()
    axes.scatter(points[:, 0].cpu(), points[:, 1].cpu(), s=3)
    axes.set(title=title, aspect="equal")
    _as_they_are(axes.title)
    return _figure(FigureCanvasAgg(drawing))


def _figure(canvas: object) -> Figure:
    buffer = io.BytesIO()
    canvas.print_png(buffer)  # type: ignore[attr-defined]
    return Figure(buffer.getvalue())


@node(category="evaluation", words=("concatenate",))
def merge_tables(tables: list[Table]) -> Table:
    """Tables with the same columns, one below the other. Raises Mismatch on other columns."""
    columns = tables[0].columns if tables else ()
    for table in tables:
        if table.columns != columns:
            raise Mismatch(
                f"the tables have other columns: {columns} and {table.columns}", port="tables"
            )
    return Table(columns, tuple(row for table in tables for row in table.rows))
