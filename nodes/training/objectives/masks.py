"""Masks for inpainting, drawn at random: 1 = known, 0 = to be made."""

import numpy as np
import torch
from torch import Tensor

UNKNOWN = 0.1
"""Share of masks in which nothing is known, so that the network still draws from nothing."""
STROKES = 0.4
"""Share of the others that are free-form."""


def random_masks(rng: np.random.Generator, count: int, size: int) -> Tensor:
    """Masks float32 [count, 1, size, size]: rectangles or brush strokes, taken out or left standing, or nothing known."""
    masks = np.stack([_mask(rng, size) for _ in range(count)])
    return torch.from_numpy(masks).float()[:, None]


def _mask(rng: np.random.Generator, size: int) -> np.ndarray:
    if rng.random() < UNKNOWN:
        return np.zeros((size, size), bool)
    drawn = _strokes(rng, size) if rng.random() < STROKES else _rectangle(rng, size)
    return drawn if rng.random() < 0.25 else ~drawn


def _rectangle(rng: np.random.Generator, size: int) -> np.ndarray:
    """A rectangle with sides of a fifth to nine tenths of the picture's, anywhere."""
    height, width = (rng.uniform(0.2, 0.9, 2) * size).astype(int)
    top, left = rng.integers(size - height + 1), rng.integers(size - width + 1)
    drawn = np.zeros((size, size), bool)
    drawn[top : top + height, left : left + width] = True
    return drawn


def _strokes(rng: np.random.Generator, size: int) -> np.ndarray:
    """The way of a round brush: 6 to 12 dabs, each near the one before."""
    rows, columns = np.ogrid[:size, :size]
    drawn = np.zeros((size, size), bool)
    centre, radius = rng.uniform(0, size, 2), rng.uniform(0.08, 0.2) * size
    for _ in range(rng.integers(6, 13)):
        drawn |= (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 < radius**2
        centre = np.clip(centre + rng.normal(0, radius, 2), 0, size)
    return drawn
