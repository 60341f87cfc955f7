"""The fill rule of golden networks: every parameter is a function of its key and shape."""

import math
import zlib
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor


def filled(shapes: Mapping[str, Sequence[int]]) -> dict[str, Tensor]:
    return {key: fill(key, shape) for key, shape in shapes.items()}


def fill(key: str, shape: Sequence[int]) -> Tensor:
    generator = torch.Generator().manual_seed(zlib.crc32(key.encode()))
    weights = torch.randn(tuple(shape), generator=generator, dtype=torch.float32)
    if len(shape) >= 2:
        return weights * (0.5 / math.sqrt(math.prod(shape[1:])))
    weights = weights * 0.05
    return weights + 1.0 if key.endswith((".weight", ".g")) else weights
