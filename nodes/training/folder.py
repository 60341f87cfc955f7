"""Pictures in a folder, each with its caption in a text file of the same name."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from nodegraph.base.paths import read_text, why
from nodes.picture_files.levels import colours
from nodes.picture_files.opening import opened
from nodes.training.dataset import Batch, pictures_to_signal
from nodes.training.folder_digest import folder_digest

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
