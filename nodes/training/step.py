"""One step of a training: what is minimised, and the gradient of a share of its batch."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from nodes.diffusion.timesteps import LossSecondMoment
from nodes.models.compiling import compile_blocks
from nodes.training.dataset import Batch, Dataset
from nodes.training.draws import Draw, Visits, draw_for, parts_of
from nodes.training.precision import computed_in
from nodes.training.recipe import Recipe, fingerprint
from nodes.training.seeding import seeded

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

    def visits(self) -> LossSecondMoment | None:
        """A fresh memory of losses where timesteps are chosen by them; None where all are visited alike."""
        return None

    def draws(self, config: object) -> bool:
        """Whether `sample` has pictures of a network of this configuration."""
        return False

    def sample(
        self, network: nn.Module, dataset: Dataset, captions: Sequence[str] = ()
    ) -> Tensor | None:
        """Pictures [N, 3, H, W] for captions, or else for `SAMPLES` rows of a data set; None of a network that draws none."""
        return None


@dataclass(frozen=True, slots=True)
class Means:
    """How a step is made, which changes its result by rounding alone: `processes` share each batch, each takes its share in
    `accumulation` parts, and blocks of the network are compiled."""

    processes: int = 1
    accumulation: int = 1
    compiled: bool = False


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
    means: Means = field(default_factory=Means)

    def fingerprint(self) -> str:
        described = (self.objective.describe(), self.dataset.describe(), self.identity)
        return fingerprint(self.recipe, *described)


def prepared(training: Training, device: str) -> nn.Module:
    """The network where it is trained, as one that is trained."""
    network = training.network.to(device).train()
    if training.means.compiled:
        compile_blocks(network, device)
    return network


@dataclass(frozen=True, slots=True)
class Turn:
    """What is to be done in a step: its number, the timesteps that were chosen, and what losses are multiplied by."""

    step: int
    visits: Visits | None = None
    scale: float = 1.0


def gradient(training: Training, turn: Turn, rows: slice, device: str = "cpu") -> np.ndarray:
    """Leave the gradient of the share `rows` of a step's batch on the network; the losses of the rows, float64 [B].

    The share is taken in `training.means.accumulation` parts, one after the other.
    """
    training.network.zero_grad(set_to_none=True)
    parts = parts_of(rows, training.means.accumulation)
    return np.concatenate([_part(training, turn, part, device) for part in parts])


def _part(training: Training, turn: Turn, rows: slice, device: str) -> np.ndarray:
    """Add the gradient of some rows of a step's batch; their losses."""
    recipe, step = training.recipe, turn.step
    draw = draw_for(recipe.seed, step, recipe.batch_size, rows, turn.visits)
    batch = training.dataset.batch(draw.choice, recipe.batch_size).take(rows).to(device)
    with torch.enable_grad():
        with seeded(_dropout_seed(recipe.seed, step, rows), device), _autocast(recipe, device):
            losses = training.objective.loss(training.network, batch, draw)
            mean = draw.weighted(losses).sum() / recipe.batch_size
        (mean * turn.scale).backward()
    return losses.detach().double().cpu().numpy()


def captions_of(training: Training, step: int, rows: np.ndarray) -> list[str]:
    """The captions of rows of a step's batch; empty where the data set has none."""
    draw = draw_for(training.recipe.seed, step, training.recipe.batch_size)
    batch = training.dataset.batch(draw.choice, training.recipe.batch_size)
    return [batch.captions[row] for row in rows] if batch.captions is not None else []


def _dropout_seed(seed: int, step: int, rows: slice) -> int:
    """A seed for what a network drops of its activations in a step, for each share of the batch another."""
    root = np.random.SeedSequence([seed, step, rows.start or 0, 1])
    return int(root.generate_state(1, np.uint64)[0] >> 1)


def _autocast(recipe: Recipe, device: str) -> contextlib.AbstractContextManager[object]:
    dtype = computed_in(recipe.precision, device)
    if dtype == torch.float32:
        return contextlib.nullcontext()
    return torch.autocast(torch.device(device).type, dtype=dtype)
