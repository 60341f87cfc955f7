"""The contact sheet of a sweep, from the pictures of its cells."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from server.files import Files, first_picture
from server.jobs.job import Job
from server.problems import Problem

if TYPE_CHECKING:
    from PIL.Image import Image

MOST, LARGE = 1_000, 36
"""Cells of a sheet, and those of which it shows the pictures in their size; of more it shows small ones."""


def sheet_of(job: Job, cells: Sequence[Job], files: Files) -> "list[Image]":
    """Pages with the first picture of each cell and the axes labelled; none where no cell gave a picture."""
    from nodegraph.runtime.sheet import Labels, sheet

    if len(cells) > MOST:
        told = f"a sheet shows {MOST:,} cells at most; GET the table, and the pictures one by one"
        raise Problem(422, "too-many-cells", told)
    pictures = [_picture(cell, files, small=len(cells) > LARGE) for cell in cells]
    if not any(pictures):
        return []
    axes = [
        Labels("+".join(axis["names"]), tuple(", ".join(map(str, row)) for row in axis["rows"]))
        for axis in job.request.get("axes", ())
    ]
    return sheet(pictures, axes)


def _picture(cell: Job, files: Files, small: bool) -> bytes | None:
    found = cell.thumbnail if small else first_picture(cell.outputs or {})
    file = files.find(found) if found else None
    return None if file is None else file.path.read_bytes()
