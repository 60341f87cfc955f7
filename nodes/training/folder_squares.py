"""The pictures of a folder as squares: decoded once, all together, and kept in the cache as one array. Imports no torch."""

import json
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from nodegraph.base.partial import replacing, write_text
from nodegraph.base.paths import cache_folder, read_json
from nodes.picture_files.levels import colours
from nodes.picture_files.opening import opened

CHUNK = 256
THREADS = 4


class Square(NamedTuple):
    """A picture as a square, uint8 [S, S, 3], and its width and height; or what is wrong with it."""

    pixels: np.ndarray | None
    size: tuple[int, int]
    fault: str


@dataclass(frozen=True, slots=True)
class Squares:
    """Squares in a file, uint8 [N, S, S, 3], in order of their pictures; `faults`: of what cannot be read, the rest empty."""

    file: Path
    sizes: tuple[tuple[int, int], ...]
    faults: tuple[str, ...]

    def rows(self, chosen: np.ndarray) -> np.ndarray:
        """Some of the squares, uint8 [B, S, S, 3]."""
        return np.asarray(_mapped(self.file)[chosen])


@lru_cache(4)
def _mapped(file: Path) -> np.ndarray:
    return np.load(file, mmap_mode="r")


def squares(files: Sequence[Path], size: int, digest: str) -> Generator[int, None, Squares]:
    """The middle of each picture as a square of `size` px; yields how many were looked at. Known ones are not read again.

    `digest`: of names and contents of the files.
    """
    place = cache_folder() / "pictures" / f"{digest[:32]}-{size}.npy"
    notes = place.with_suffix(".json")
    if place.exists() and (known := _read(place, notes, len(files))):
        return known
    place.parent.mkdir(parents=True, exist_ok=True)
    sizes: list[tuple[int, int]] = []
    faults: list[str] = []
    shape = len(files), size, size, 3
    with replacing(place) as made, ThreadPoolExecutor(THREADS) as pool:
        array = np.lib.format.open_memmap(made, "w+", np.uint8, shape)
        for first in range(0, len(files), CHUNK):
            chunk = files[first : first + CHUNK]
            for pixels, of, fault in pool.map(square, chunk, repeat(size)):
                if pixels is not None:
                    array[len(sizes)] = pixels
                sizes.append(of)
                faults.append(fault)
            yield len(sizes)
        array.flush()
    write_text(notes, json.dumps({"sizes": sizes, "faults": faults}))
    return Squares(place, tuple(sizes), tuple(faults))


def _read(place: Path, notes: Path, count: int) -> Squares | None:
    """What is known of pictures that were looked at before; None where that is damaged."""
    try:
        found = read_json(notes)
        sizes = tuple((int(width), int(height)) for width, height in found["sizes"])
        faults = tuple(map(str, found["faults"]))
        whole = len(_mapped(place)) == len(sizes) == len(faults) == count
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Squares(place, sizes, faults) if whole else None


def square(file: Path, size: int) -> Square:
    """The middle of a picture, uint8 [size, size, 3]."""
    try:
        levels = colours(opened(file)).values
    except (OSError, ValueError) as error:
        return Square(None, (0, 0), str(error))
    if levels.dtype != np.uint8:
        levels = np.rint(levels * 255).astype(np.uint8)
    height, width = levels.shape[:2]
    side = min(height, width)
    left, top = (width - side) // 2, (height - side) // 2
    middle = Image.fromarray(levels[top : top + side, left : left + side])
    resized = middle.resize((size, size), Image.Resampling.LANCZOS)
    return Square(np.asarray(resized), (width, height), "")
