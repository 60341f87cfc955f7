"""One step of a training: what is minimised, its randomness, and the gradient of a share of its batch."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from nodes.diffusion.timesteps import stratified
from nodes.training.dataset import Batch, Dataset
from nodes.training.precision import imitates_bfloat16
from nodes.training.recipe import Recipe, fingerprint
from nodes.training.seeding import seeded


@dataclass(frozen=True, slots=True)
class Draw:
    """Randomness of one step for the `rows` of a batch of `size`; numpy for choices, torch (CPU) for noise.

    Everything is drawn for the whole batch, so that the rows get the same however the batch is shared out.
    """

    choice: np.random.Generator
    noise: torch.Generator
    size: int
    rows: slice = field(default_factory=lambda: slice(None))

    def normal(self, like: Tensor) -> Tensor:
        """Standard normal noise of the shape and device of `like`, drawn on the CPU in float32."""
        whole = torch.randn((self.size, *like.shape[1:]), generator=self.noise)
        return whole[self.rows].to(like.device)

    def uniform(self) -> np.ndarray:
        """A number in [0, 1) for each row, float64 [B]."""
        return self.choice.random(self.size)[self.rows]

    def timesteps(self, steps: int) -> Tensor:
        """A timestep in [0, steps) for each row, one in each stretch of the chain, int64 [B]."""
        return torch.from_numpy(stratified(self.choice, self.size, steps)[self.rows].copy())


SAMPLES = 4
"""Samples where no captions are given."""


class Objective(ABC):
    """What is minimised."""

    __slots__ = ()

    @abstractmethod
    def loss(self, network: nn.Module, batch: Batch, draw: Draw) -> Tensor:
        """The loss of each row [B]."""

    @abstractmethod
    def describe(self) -> dict[str, str | int | float]:
        """Its identity: objectives with equal descriptions have equal losses."""

    def check(self, config: object) -> None:  # noqa: B027 (there may be nothing to check)
        """Raises Mismatch where a network of this configuration gives other outputs, or takes another CLIP."""

    def draws(self, config: object) -> bool:
        """Whether `sample` has pictures of a network of this configuration."""
        return False

    def sample(
        self, network: nn.Module, dataset: Dataset, captions: Sequence[str] = ()
    ) -> Tensor | None:
        """Pictures [N, 3, H, W] for captions, or else for `SAMPLES` rows of a data set; None of a network that draws none."""
        return None


@dataclass(frozen=True, slots=True)
class Training:
    """What to train on what: the parts that stay fixed over a run."""

    network: nn.Module
    objective: Objective
    dataset: Dataset
    recipe: Recipe
    run_dir: Path
    identity: object
    """Description of the network's configuration and first weights, part of the fingerprint."""

    def fingerprint(self) -> str:
        described = (self.objective.describe(), self.dataset.describe(), self.identity)
        return fingerprint(self.recipe, *described)


def draw_for(seed: int, step: int, size: int, rows: slice = slice(None)) -> Draw:
    """Randomness of a step, from its number alone: a resumed training draws what an unbroken one would."""
    root = np.random.SeedSequence([seed, step])
    choice, noise = root.spawn(2)
    generator = torch.Generator().manual_seed(int(noise.generate_state(1, np.uint64)[0] >> 1))
    return Draw(np.random.default_rng(choice), generator, size, rows)


def shares(size: int, count: int) -> list[slice]:
    """A batch of `size` rows cut into `count` shares that are as equal as can be."""
    bounds = [size * i // count for i in range(count + 1)]
    return [slice(first, last) for first, last in pairwise(bounds)]


def gradient(training: Training, step: int, rows: slice, device: str = "cpu") -> float:
    """Leave the gradient of the share `rows` of a step's batch on the network; its part of the batch's mean loss."""
    recipe, network = training.recipe, training.network
    draw = draw_for(recipe.seed, step, recipe.batch_size, rows)
    batch = training.dataset.batch(draw.choice, recipe.batch_size).take(rows).to(device)
    network.zero_grad(set_to_none=True)
    with torch.enable_grad():
        with seeded(_dropout_seed(recipe.seed, step, rows), device), _autocast(recipe, device):
            loss = training.objective.loss(network, batch, draw).sum() / recipe.batch_size
        loss.backward()
    return float(loss.detach())


def _dropout_seed(seed: int, step: int, rows: slice) -> int:
    """A seed for what a network drops of its activations in a step, for each share of the batch another."""
    root = np.random.SeedSequence([seed, step, rows.start or 0, 1])
    return int(root.generate_state(1, np.uint64)[0] >> 1)


def _autocast(recipe: Recipe, device: str) -> contextlib.AbstractContextManager[object]:
    if recipe.precision == "float32" or imitates_bfloat16(device):
        return contextlib.nullcontext()
    return torch.autocast(torch.device(device).type, dtype=torch.bfloat16)
