"""Captioned pictures in a folder as a data set."""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from nodegraph.runtime.warn import warn
from nodes.training.dataset import Batch, pictures_to_signal
from nodes.training.folder_digest import folder_digest
from nodes.training.folder_listing import Listed, classes, listed
from nodes.training.folder_squares import Squares, squares

NAMED = 3
"""Pictures that a warning names."""


@dataclass(frozen=True, slots=True)
class FolderPictures:
    """Pictures as squares of `size` px, the middle of each; drawn with replacement.

    `pictures` are in order of their names, those that cannot be read too; `rows`: those that can. Without `squares`, before
    they were looked at, all count as readable, and there are no batches.
    """

    pictures: tuple[Listed, ...]
    size: int
    digest: str
    rows: tuple[int, ...]
    squares: Squares | None = None

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return (3, self.size, self.size)

    @property
    def captions(self) -> tuple[str, ...]:
        """Those of all pictures that can be read, in order."""
        return tuple(self.pictures[row].caption for row in self.rows)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the labels 0, 1, …; empty for pictures without."""
        return classes(self.pictures)

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        return self.take(self.drawn(rng, size))

    def drawn(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """Numbers of pictures, int64 [size]."""
        return rng.integers(len(self.rows), size=size)

    def take(self, numbers: np.ndarray) -> Batch:
        """The pictures of these numbers, counted from 0 among those that can be read."""
        if self.squares is None:
            raise ValueError("these pictures were not looked at yet")
        chosen = np.asarray(self.rows)[numbers]
        pictures = [self.pictures[row] for row in chosen]
        labels = None
        if kinds := self.classes:
            labels = torch.tensor([kinds.index(p.kind or "") for p in pictures])
        signal = pictures_to_signal(self.squares.rows(chosen))
        return Batch(signal, tuple(p.caption for p in pictures), labels)

    def describe(self) -> dict[str, str | int | float]:
        return {"kind": "folder", "size": self.size, "digest": self.digest}


def listed_pictures(folder: Path, size: int) -> FolderPictures:
    """The pictures of a folder by their names alone. Raises ValueError as `listed`."""
    found = listed(folder)
    return FolderPictures(found, size, folder_digest(folder), tuple(range(len(found))))


def folder_pictures(folder: Path, size: int) -> Generator[int, None, FolderPictures]:
    """The pictures of a folder; yields how many were looked at. What cannot be read is named in a warning and left out.

    Raises ValueError as `listed`, or when no picture can be read.
    """
    found = listed_pictures(folder, size)
    files = [picture.file for picture in found.pictures]
    seen = yield from squares(files, size, found.digest)
    rows = tuple(row for row, fault in enumerate(seen.faults) if not fault)
    faults = [fault for fault in seen.faults if fault]
    if not rows:
        raise ValueError(f"no picture in {folder} can be read: {faults[0]}")
    if faults:
        more = f"; and {len(faults) - NAMED} more" if len(faults) > NAMED else ""
        named = "; ".join(faults[:NAMED]) + more
        many = "1 picture is" if len(faults) == 1 else f"{len(faults)} pictures are"
        warn(f"{many} left out of {len(files)}: {named}", port="folder")
    return FolderPictures(found.pictures, size, found.digest, rows, seen)
