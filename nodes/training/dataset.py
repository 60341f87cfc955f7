"""Data sets: endless, indexable by (seed, step), so that a resumed training sees the same batches."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from nodes.tensors import Tensors


@dataclass(frozen=True, slots=True)
class Batch(Tensors):
    """One training batch: the signal [B, …] (pictures float32 in [-1, 1]) and what is known about it.

    `embeddings` [B, D]: of the pictures, by the CLIP whose digest is `embedded_by`.
    """

    signal: Tensor
    captions: tuple[str, ...] | None = None
    labels: Tensor | None = None
    embeddings: Tensor | None = None
    embedded_by: str = ""

    def __len__(self) -> int:
        return len(self.signal)

    def take(self, rows: slice) -> "Batch":
        """Some of the rows."""
        captions = None if self.captions is None else self.captions[rows]
        parts = {name: value[rows] for name, value in self.tensors().items()}
        return replace(self, captions=captions, **parts)


class Dataset(Protocol):
    """A source of batches. `describe()` is its identity: two data sets with equal descriptions give equal batches."""

    @property
    def sample_shape(self) -> tuple[int, ...]: ...

    def batch(self, rng: np.random.Generator, size: int) -> Batch: ...

    def describe(self) -> dict[str, str | int | float]: ...


@dataclass(frozen=True, slots=True)
class ShapesPictures:
    """Rendered scenes of the shapes world with their captions, at `size` px. Held-out scenes never appear.

    `mixture`: shares of scenes with one, two and three objects; `whole`: share of captions that leave nothing out;
    `alike`: as many scenes behind each other differ in nothing but the shapes of their things.
    """

    size: int = 32
    mixture: tuple[float, float, float] = (0.45, 0.47, 0.08)
    whole: float = 0.0
    alike: int = 1

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return (3, self.size, self.size)

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        from nodes.shapes.batches import batch

        pictures, captions = batch(
            rng, size, self.size, "train", self.mixture, self.whole, self.alike
        )
        return Batch(pictures_to_signal(pictures), tuple(captions))

    def describe(self) -> dict[str, str | int | float]:
        return {
            "kind": "shapes",
            "size": self.size,
            "mixture": "/".join(f"{m:g}" for m in self.mixture),
            **({"whole": self.whole} if self.whole else {}),
            **({"alike": self.alike} if self.alike > 1 else {}),
        }


@dataclass(frozen=True, slots=True)
class ClassPictures:
    """Single things of the shapes world with their class (colour · 8 + shape) as label, and their captions."""

    size: int = 32

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return (3, self.size, self.size)

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        from nodes.shapes.classes import class_batch

        pictures, captions, labels = class_batch(rng, size, self.size)
        return Batch(pictures_to_signal(pictures), tuple(captions), torch.from_numpy(labels))

    def describe(self) -> dict[str, str | int | float]:
        return {"kind": "classes", "size": self.size}


@dataclass(frozen=True, slots=True)
class Crops:
    """Squares of `size` px out of the pictures of another data set, each from another place."""

    pictures: Dataset
    size: int

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return (*self.pictures.sample_shape[:1], self.size, self.size)

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        whole = self.pictures.batch(rng, size)
        tops, lefts = rng.integers(whole.signal.shape[-1] - self.size + 1, size=(2, size))
        cut = [
            picture[:, top : top + self.size, left : left + self.size]
            for picture, top, left in zip(whole.signal, tops, lefts, strict=True)
        ]
        return replace(whole, signal=torch.stack(cut))

    def describe(self) -> dict[str, str | int | float]:
        return {**self.pictures.describe(), "crop": self.size}


@dataclass(frozen=True, slots=True)
class Flipped:
    """A share of the pictures of another data set mirrored, but none whose caption has one of the `sided` words."""

    pictures: Dataset
    share: float = 0.5
    sided: tuple[str, ...] = ("left", "right")

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return self.pictures.sample_shape

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        whole = self.pictures.batch(rng, size)
        chosen = rng.random(size) < self.share
        if whole.captions is not None and self.sided:
            chosen &= [not self._names_a_side(caption) for caption in whole.captions]
        mirrored = torch.from_numpy(chosen)[:, None, None, None]
        return replace(whole, signal=torch.where(mirrored, whole.signal.flip(-1), whole.signal))

    def _names_a_side(self, caption: str) -> bool:
        return not set(self.sided).isdisjoint(re.findall(r"\w+", caption.lower()))

    def describe(self) -> dict[str, str | int | float]:
        return {**self.pictures.describe(), "flip": self.share, "sided": ",".join(self.sided)}


@dataclass(frozen=True, slots=True)
class Points:
    """Rows of a table as signals [B, D]: draws with replacement."""

    rows: Tensor
    name: str

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return tuple(self.rows.shape[1:])

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        chosen = torch.from_numpy(rng.integers(len(self.rows), size=size))
        return Batch(self.rows[chosen])

    def describe(self) -> dict[str, str | int | float]:
        return {"kind": "points", "name": self.name, "rows": len(self.rows)}


def pictures_to_signal(pictures: np.ndarray) -> Tensor:
    """uint8 [B, H, W, 3] → float32 [B, 3, H, W] in [-1, 1]."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div(127.5).sub(1.0).contiguous()


def without(captions: Sequence[str], dropped: Sequence[bool] | np.ndarray) -> tuple[str, ...]:
    """Captions, the `dropped` ones replaced by the empty one, which teaches the unconditional branch."""
    return tuple("" if drop else caption for caption, drop in zip(captions, dropped, strict=True))
