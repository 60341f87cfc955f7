"""Pictures in a folder, each with its caption in a text file of the same name."""

import json
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nodegraph.base.framing import digest
from nodegraph.base.partial import write_text
from nodegraph.base.paths import cache_folder, read_json, read_text, real_path, why
from nodegraph.models.download import sha256_of
from nodes.picture_files.levels import colours
from nodes.picture_files.opening import opened
from nodes.training.dataset import Batch, pictures_to_signal

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


@dataclass(frozen=True, slots=True)
class FolderPictures:
    """Pictures as squares of `size` px, the middle of each; drawn with replacement, read when they are drawn.

    `files` are in order of their names; a picture without a caption has an empty one.
    """

    files: tuple[Path, ...]
    size: int
    digest: str

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return (3, self.size, self.size)

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        chosen = [self.files[i] for i in rng.integers(len(self.files), size=size)]
        pictures = np.stack([_square(file, self.size) for file in chosen])
        return Batch(pictures_to_signal(pictures), tuple(_caption(file) for file in chosen))

    def describe(self) -> dict[str, str | int | float]:
        return {"kind": "folder", "size": self.size, "digest": self.digest}


def folder_pictures(folder: Path, size: int) -> FolderPictures:
    """The pictures of a folder. Raises ValueError when there is none."""
    files = tuple(sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES))
    if not files:
        raise ValueError(f"there is no picture ({', '.join(SUFFIXES)}) in {folder}")
    return FolderPictures(files, size, folder_digest(folder))


def folder_digest(folder: Path) -> str:
    """A digest of the names and contents of all files below a folder.

    A file is read again only when its size or one of its times has changed: what is known stands in the cache.
    """
    index = cache_folder() / "folders" / f"{digest(real_path(folder))[:24]}.json"
    known = _read_index(index)
    found = {p.relative_to(folder).as_posix(): _state(p) for p in sorted(folder.rglob("*"))}
    for name, state in found.items():
        if state:
            before: Any = known.get(name)
            same = isinstance(before, list) and before[:-1] == state
            state.append(before[-1] if same else sha256_of(folder / name))
    if found != known:
        with suppress(OSError):
            write_text(index, json.dumps(found))
    return digest([(name, state[-1:]) for name, state in found.items()])


def _state(path: Path) -> list[Any]:
    """By what one sees that a file has changed; nothing for what is no file."""
    with suppress(OSError):
        status = path.stat()
        if stat.S_ISREG(status.st_mode):
            times = status.st_mtime_ns, status.st_ctime_ns
            return [status.st_size, *times, status.st_ino]
    return []


def _read_index(path: Path) -> dict[str, Any]:
    try:
        return read_json(path)
    except (OSError, ValueError):
        return {}


def _square(file: Path, size: int) -> np.ndarray:
    levels = colours(opened(file)).values
    if levels.dtype != np.uint8:
        levels = np.rint(levels * 255).astype(np.uint8)
    height, width = levels.shape[:2]
    side = min(height, width)
    left, top = (width - side) // 2, (height - side) // 2
    middle = Image.fromarray(levels[top : top + side, left : left + side])
    return np.asarray(middle.resize((size, size), Image.Resampling.LANCZOS))


def _caption(file: Path) -> str:
    text = file.with_suffix(".txt")
    try:
        return read_text(text).strip() if text.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the caption {text} cannot be read: {why(error)}") from None
