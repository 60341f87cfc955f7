"""`nodegraph compare`."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nodegraph.base.diagnostics import GraphError
from nodegraph.base.partial import claimed
from nodegraph.base.visible import visible_line
from nodegraph.cli.console import fail, print_json, registry, results
from nodegraph.comparing import Difference, differences
from nodegraph.runtime.recorded import Recorded
from nodegraph.session import Session

if TYPE_CHECKING:
    from nodegraph.runtime.beside import Pixels

NOTHING = "—"
LONGEST = 60


def compare(
    first: Annotated[Path, typer.Argument(help="A picture.", metavar="A")],
    second: Annotated[Path, typer.Argument(help="Another.", metavar="B")],
    out: Annotated[Path, typer.Option(help="Folder for both beside their difference.")] = Path(
        "out"
    ),
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object on standard output.")
    ] = False,
) -> None:
    """Lay two pictures and their difference side by side, and say what of their recorded graphs differs."""
    from nodegraph.runtime.beside import apart, opened, side_by_side

    try:
        pictures = opened(first), opened(second)
    except ValueError as error:
        fail(str(error))
    pixels = apart(*pictures) if pictures[0].size == pictures[1].size else None
    records = [_recorded(path) for path in (first, second)]
    silent = [str(reason) for reason in records if isinstance(reason, str)]
    told = [record for record in records if isinstance(record, Recorded)]
    found = differences(told[0], told[1]) if len(told) == 2 else []
    try:
        with claimed(out, "compare") as (beside, stem):
            page = side_by_side(*pictures, (first.name, second.name))
            page.save(beside / f"{stem}.png")
            made = out / f"{stem}.png"
    except OSError as error:
        fail(f"{out} cannot be written: {error.strerror or error}")
    if as_json:
        facts = asdict(pixels) if pixels else None
        record: dict[str, Any] = {"pixels": facts, "differences": [asdict(one) for one in found]}
        print_json({**record, "without_a_graph": silent, "picture": str(made)})
        return
    sizes = [f"{width} × {height}" for width, height in (p.size for p in pictures)]
    results.print(_of_pixels(pixels, sizes))
    for line in (*silent, *_lines(found, len(told) == 2)):
        results.print(line)
    results.print(f"picture: {visible_line(str(made))}")


def _recorded(path: Path) -> Recorded | str:
    """What a picture says of how it was made, or why it does not."""
    try:
        return Session(registry()).open(path)
    except GraphError as error:
        return f"{visible_line(str(path))}: {error.diagnostics[0].message}"


def _of_pixels(pixels: "Pixels | None", sizes: Sequence[str]) -> str:
    if pixels is None:
        return f"pixels: {sizes[0]} and {sizes[1]}, so they are not compared"
    if pixels.psnr is None:
        return f"pixels: {sizes[0]}, all equal"
    return (
        f"pixels: {sizes[0]}, {pixels.equal:.1%} equal, {pixels.within_a_level:.1%} within one level of 255; "
        f"on average {pixels.mean:.2f} levels apart, at most {pixels.largest}; PSNR {pixels.psnr:.1f} dB"
    )


def _lines(found: Sequence[Difference], known: bool) -> list[str]:
    """A line for each difference."""
    if known and not found:
        return ["graph: the same, with the same inputs, models and versions"]
    return [
        visible_line(
            f"{one.kind} {one.name}".rstrip() + f": {_short(one.first)} → {_short(one.second)}"
        )
        for one in found
    ]


def _short(value: Any) -> str:
    text = NOTHING if value is None else str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
