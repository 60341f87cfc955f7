"""Nodes that measure, and draw what they measured."""

import io
from collections.abc import Generator
from typing import Annotated

import numpy as np

from nodegraph import Doc, Mismatch, Progress, Range, node
from nodes.conditions import joined
from nodes.denoisers import clip_x0, unet_denoiser
from nodes.diffusion.noise import SeededNoise
from nodes.diffusion.samplers import Start, ancestral
from nodes.guidance import classifier_free_guidance
from nodes.schedules import noise_scheduler
from nodes.shapes.oracle import PARTS, judge
from nodes.shapes.world import held_out_captions
from nodes.text import text_encoder
from nodes.types import PORT_TYPES as PORT_TYPES
from nodes.types import Figure, Image, Seed, Signal, Table, Text, UNet, to_bytes


def _abstract_oracle(images: Image, captions: list[str]) -> Table:
    return Table(("caption", *PARTS), ())


@node(category="evaluation", words=("accuracy", "judge"), abstract=_abstract_oracle)
def shapes_oracle(images: Image, captions: list[Text]) -> Table:
    """What the oracle of the shapes world finds in pictures: one row each, with every part of its caption right or not.

    Raises Mismatch unless there are as many captions as pictures, or one for all.
    """
    pictures = to_bytes(images)
    wanted = captions * len(pictures) if len(captions) == 1 else captions
    if len(wanted) != len(pictures):
        raise Mismatch(f"{len(wanted)} captions for {len(pictures)} pictures", port="captions")
    verdicts = [judge(caption, picture) for caption, picture in zip(wanted, pictures, strict=True)]
    rows = tuple(
        (w, *(int(getattr(v, p)) for p in PARTS)) for w, v in zip(wanted, verdicts, strict=True)
    )
    return Table(("caption", *PARTS), rows)


def _abstract_accuracy(model: UNet, **_: object) -> Table:
    unet_denoiser(model, [text_encoder(model, "a red circle")])
    return Table(("objects", *PARTS), ())


@node(category="evaluation", words=("accuracy", "held out"), abstract=_abstract_accuracy)
def prompt_accuracy(
    model: UNet,
    count: Annotated[int, Range(1, 10_000), Doc("Captions for each number of objects.")] = 100,
    guidance: Annotated[float, Range(0, 20)] = 3.0,
    steps: Annotated[int, Range(1, 1000)] = 50,
    seed: Seed = 0,
    chunk: Annotated[
        int, Range(1, 1024), Doc("Pictures at once; the result does not depend on it.")
    ] = 25,
) -> Generator[Progress, None, Table]:
    """Share of held-out captions that a text-to-image network of the shapes world obeys, by the oracle, part by part.

    One row for scenes with one object, one for two; `_se` columns are standard errors. Ancestral sampling, clipped.
    """
    rows: list[tuple[object, ...]] = []
    total = 2 * count
    for objects in (1, 2):
        captions = held_out_captions(count, objects, seed)
        found: list[list[float]] = []
        for first in range(0, count, chunk):
            some = captions[first : first + chunk]
            pictures = _drawn(model, some, guidance, steps, seed + first + 10_000 * objects)
            found += [
                [float(getattr(judge(c, p), part)) for part in PARTS]
                for c, p in zip(some, to_bytes(pictures), strict=True)
            ]
            yield Progress((objects - 1) * count + len(found), total, None)
        shares = np.asarray(found).mean(0)
        errors = np.sqrt(shares * (1 - shares) / len(found))
        rows.append(
            (
                objects,
                len(found),
                *(round(float(v), 4) for v in shares),
                *(round(float(e), 4) for e in errors),
            )
        )
    return Table(("objects", "captions", *PARTS, *(f"{p}_se" for p in PARTS)), tuple(rows))


def _drawn(model: UNet, captions: list[str], guidance: float, steps: int, seed: int) -> Image:
    """One picture for each caption, as `glide/text_to_image` draws its small ones."""
    encoded = [text_encoder(model, caption) for caption in captions]
    cond = unet_denoiser(model, [joined(encoded)])
    uncond = unet_denoiser(model, [text_encoder(model, "")])
    denoiser = clip_x0(classifier_free_guidance(cond, uncond, guidance))
    *_, last = ancestral(denoiser, noise_scheduler(model, steps=steps), Start(SeededNoise(seed)))
    return last.x_t.cpu()


def _abstract_lines(table: Table, x: str, y: list[str], **_: object) -> Figure:
    for name in (x, *y):
        table.column(name)
    return Figure(b"")


@node(category="evaluation", words=("curve", "chart"), abstract=_abstract_lines)
def plot_lines(
    table: Table,
    x: Annotated[str, Doc("Column on the horizontal axis.")],
    y: Annotated[list[str], Doc("Columns that are drawn, each as a line.")],
    title: str = "",
    log_y: bool = False,
) -> Figure:
    """Columns of a table as lines; a column `NAME_se` becomes error bars of `NAME`. Raises KeyError naming an absent column."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Drawing

    drawing = Drawing(figsize=(6.4, 4.0), dpi=120, layout="constrained")
    axes = drawing.add_subplot()
    for name in y:
        errors = table.column(f"{name}_se") if f"{name}_se" in table.columns else None
        axes.errorbar(
            table.column(x), table.column(name), yerr=errors, marker="o", markersize=3, label=name
        )
    axes.set(xlabel=x, title=title, yscale="log" if log_y else "linear")
    axes.legend()
    axes.grid(alpha=0.3)
    return _figure(FigureCanvasAgg(drawing))


def _abstract_points(points: Signal, title: str = "") -> Figure:
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
