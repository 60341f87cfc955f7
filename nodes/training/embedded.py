"""Pictures of a folder with CLIP's embeddings of them, which are made once."""

from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from nodes.training.dataset import Batch
from nodes.training.folder import FolderPictures


@dataclass(frozen=True, slots=True)
class Embedded:
    """A folder's pictures, each with its embedding, [N, D], by the CLIP of this digest."""

    pictures: FolderPictures
    values: Tensor
    clip: str

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return self.pictures.sample_shape

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        numbers = self.pictures.drawn(rng, size)
        return replace(
            self.pictures.take(numbers), embeddings=self.values[numbers], embedded_by=self.clip
        )

    def describe(self) -> dict[str, str | int | float]:
        """That of the folder: what a training sees is the same."""
        return self.pictures.describe()
