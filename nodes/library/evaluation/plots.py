"""Nodes that draw what was measured."""

import io
from typing import Annotated, Any

from nodegraph import Doc, Mismatch, node
from nodes.wires.figures import Figure
from nodes.wires.tables import Table
from nodes.wires.tensors import Signal


def _abstract_lines(table: Table, x: str, y: list[str], by: str) -> Figure:
    for port, names in {"x": [x], "by": [by] if by else []}.items():
        for name in names:
            table.column(name, port)
    for name in y:
        table.numbers(name, "y")
    return Figure(b"")


@node(words=("curve", "chart"), abstract=_abstract_lines)
def plot_lines(
    table: Table,
    x: Annotated[str, Doc("Column on the horizontal axis.")],
    y: Annotated[list[str], Doc("Columns that are drawn, each as a line.")],
    title: str = "",
    log_y: Annotated[bool, Doc("A logarithmic axis, where anything is positive.")] = False,
    by: Annotated[str, Doc("Column with a line for each of its values; empty: none.")] = "",
    x_label: Annotated[str, Doc("Label of the axis; empty: the column's name.")] = "",
) -> Figure:
    """Columns of a table as lines; a column `NAME_se`, or `NAME_low` and `NAME_high`, becomes error bars of `NAME`.

    Raises Mismatch for an absent column, and for a column of texts to be drawn. Names are drawn as they are.
    """
    canvas, [[axes]] = drawing((6.4, 4.0), 120)
    for word, part in _parts(table, by).items():
        for name in y:
            label = " ".join(w for w in (word, name if len(y) > 1 or not by else "") if w)
            axes.errorbar(
                part.column(x, "x"),
                part.numbers(name, "y"),
                yerr=_errors(part, name),
                marker="o",
                markersize=3,
                label=label,
            )
    rises = log_y and any(value > 0 for name in y for value in table.numbers(name, "y"))
    axes.set(xlabel=x_label or x, title=title, yscale="log" if rises else "linear")
    legend = axes.legend()
    axes.grid(alpha=0.3)
    _as_they_are(axes.title, axes.xaxis.label, *legend.get_texts())
    return png(canvas)


def _errors(table: Table, name: str) -> Any:
    """How far error bars reach below and above: the standard error, or to the ends of an interval."""
    if f"{name}_se" in table.columns:
        return table.numbers(f"{name}_se")
    if not {f"{name}_low", f"{name}_high"} <= set(table.columns):
        return None
    middle, low, high = (table.numbers(name + end) for end in ("", "_low", "_high"))
    below = [m - a for m, a in zip(middle, low, strict=True)]
    return [below, [b - m for m, b in zip(middle, high, strict=True)]]


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


@node(words=("scatter", "point cloud"), abstract=_abstract_points)
def plot_points(points: Signal, title: str = "") -> Figure:
    """Points [B, 2] in the plane."""
    canvas, [[axes]] = drawing((4.5, 4.5), 120)
    axes.scatter(points[:, 0].cpu(), points[:, 1].cpu(), s=3)
    axes.set(title=title, aspect="equal")
    _as_they_are(axes.title)
    return png(canvas)


def drawing(
    inches: tuple[float, float], dpi: int, rows: int = 1, columns: int = 1
) -> tuple[Any, Any]:
    """A canvas of that width and height, and the axes on it, [rows][columns]."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Drawing

    sheet = Drawing(figsize=inches, dpi=dpi, layout="constrained")
    return FigureCanvasAgg(sheet), sheet.subplots(rows, columns, squeeze=False)


def png(canvas: object) -> Figure:
    """What stands on a canvas."""
    buffer = io.BytesIO()
    canvas.print_png(buffer)  # type: ignore[attr-defined]
    return Figure(buffer.getvalue())
