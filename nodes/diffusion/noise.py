"""Noise that belongs to a sample: counter-based, so the same for every batch size, order, process and device."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from nodes.tensors import Tensors

X = TypeVar("X")
INITIAL = 0
"""Draw number of x_T; the noise of the i-th visited step is draw i + 1."""


@dataclass(frozen=True, eq=False)
class Noise(Tensors, Generic[X]):
    """Noisy samples x_t [B, …], x_T or before it, at a trained timestep of a chain of `kind` with `train_steps` steps."""

    x_t: Tensor
    timestep: int
    kind: str
    train_steps: int

    @property
    def chain(self) -> tuple[str, int]:
        """The trained chain, as `Schedule.chain`."""
        return self.kind, self.train_steps


class NoiseSource(Protocol):
    """Standard normal noise for samples, drawn on the CPU in float32."""

    def draw(self, samples: Sequence[int], number: int, shape: tuple[int, ...]) -> Tensor:
        """Noise [len(samples), *shape] of draw `number` for the samples of those indices."""
        ...


@dataclass(frozen=True, slots=True)
class SeededNoise:
    """Noise keyed on (seed, stream, sample index, draw number) by a counter-based generator. Ref: Salmon et al. 2011 (Philox).

    `stream` keeps stages apart that share a seed: `sampler`, `upsampler`, `prior`.
    """

    seed: int
    stream: str = "sampler"

    def draw(self, samples: Sequence[int], number: int, shape: tuple[int, ...]) -> Tensor:
        rows = [self._row(sample, number, shape) for sample in samples]
        return torch.as_tensor(np.stack(rows)) if rows else torch.empty(0, *shape)

    def _row(self, sample: int, number: int, shape: tuple[int, ...]) -> np.ndarray:
        name = f"{self.seed}|{self.stream}|{sample}|{number}".encode()
        key = int.from_bytes(hashlib.blake2b(name, digest_size=16).digest(), "little")
        return np.random.Generator(np.random.Philox(key=key)).standard_normal(shape, np.float32)


@dataclass(frozen=True, slots=True)
class SeedOfEach:
    """Several seeds, each for `each` samples in a row, whose noise is that of samples 0, 1, … of the seed alone."""

    seeds: tuple[int, ...]
    each: int = 1
    stream: str = "sampler"

    def draw(self, samples: Sequence[int], number: int, shape: tuple[int, ...]) -> Tensor:
        places = [divmod(sample, self.each) for sample in samples]
        sources = (SeededNoise(self.seeds[seed], self.stream) for seed, _ in places)
        rows = [s.draw([i], number, shape) for s, (_, i) in zip(sources, places, strict=True)]
        return torch.cat(rows) if rows else torch.empty(0, *shape)


@dataclass(frozen=True, slots=True)
class Shifted:
    """The noise of `source` for the samples from `first` on: what a part of a batch gets is the whole batch's."""

    source: NoiseSource
    first: int

    def draw(self, samples: Sequence[int], number: int, shape: tuple[int, ...]) -> Tensor:
        return self.source.draw([self.first + sample for sample in samples], number, shape)


@dataclass(frozen=True, slots=True)
class RecordedNoise:
    """Noise read from tensors: `initial` [B, …], and `steps` [S, B, …] for the visited steps in their order.

    Raises IndexError for a draw that was not recorded, ValueError for another shape.
    """

    initial: Tensor
    steps: Tensor | None = None

    def draw(self, samples: Sequence[int], number: int, shape: tuple[int, ...]) -> Tensor:
        source = self.initial if number == INITIAL else self._step(number - 1)
        rows = source[torch.tensor(list(samples))].float()
        if tuple(rows.shape[1:]) != shape:
            raise ValueError(
                f"the recorded noise is {list(rows.shape[1:])}, the sample {list(shape)}"
            )
        return rows

    def _step(self, index: int) -> Tensor:
        if self.steps is None or index >= len(self.steps):
            count = 0 if self.steps is None else len(self.steps)
            raise IndexError(
                f"noise of visited step {index} was not recorded; there are {count} steps"
            )
        return self.steps[index]
