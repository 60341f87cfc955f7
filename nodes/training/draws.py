"""The randomness of a step of a training, the same however its batch is shared out."""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from nodes.diffusion.timesteps import LossSecondMoment, stratified
from nodes.training.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Visits:
    """The timesteps of a whole batch, int64 [B], and the weights of their losses, float64 [B]."""

    timesteps: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True, slots=True)
class Draw:
    """Randomness of one step for the `rows` of a batch of `size`; numpy for choices, torch (CPU) for noise.

    Everything is drawn for the whole batch, so that the rows get the same however the batch is shared out.
    """

    choice: np.random.Generator
    noise: torch.Generator
    size: int
    rows: slice = field(default_factory=lambda: slice(None))
    visits: Visits | None = None
    """Timesteps that were chosen before, with the weights of their losses."""

    def normal(self, like: Tensor) -> Tensor:
        """Standard normal noise of the shape and device of `like`, drawn on the CPU in float32."""
        whole = torch.randn((self.size, *like.shape[1:]), generator=self.noise)
        return whole[self.rows].to(like.device)

    def uniform(self) -> np.ndarray:
        """A number in [0, 1) for each row, float64 [B]."""
        return self.choice.random(self.size)[self.rows]

    def timesteps(self, steps: int) -> Tensor:
        """A timestep in [0, steps) for each row, int64 [B]: one in each stretch of the chain, where none were chosen before."""
        whole = self.visits.timesteps if self.visits else stratified(self.choice, self.size, steps)
        return torch.from_numpy(whole[self.rows].copy())

    def weighted(self, losses: Tensor) -> Tensor:
        """The losses of the rows [B], with the weights of their timesteps."""
        if self.visits is None:
            return losses
        return losses * torch.from_numpy(self.visits.weights[self.rows].copy()).to(losses)


def draw_for(
    seed: int, step: int, size: int, rows: slice = slice(None), visits: Visits | None = None
) -> Draw:
    """Randomness of a step, from its number alone: a resumed training draws what an unbroken one would."""
    root = np.random.SeedSequence([seed, step])
    choice, noise = root.spawn(2)
    generator = torch.Generator().manual_seed(int(noise.generate_state(1, np.uint64)[0] >> 1))
    return Draw(np.random.default_rng(choice), generator, size, rows, visits)


def chosen_visits(memory: LossSecondMoment | None, recipe: Recipe, step: int) -> Visits | None:
    """The timesteps of a step by what is remembered of losses; None where nothing is to be remembered."""
    if memory is None:
        return None
    rng = np.random.default_rng(np.random.SeedSequence([recipe.seed, step, 0, 2]))
    return Visits(*memory.sample(rng, recipe.batch_size))


def shares(size: int, count: int) -> list[slice]:
    """A batch of `size` rows cut into `count` shares that are as equal as can be."""
    return parts_of(slice(0, size), count)


def parts_of(rows: slice, count: int) -> list[slice]:
    """Rows cut into `count` parts that are as equal as can be; none is empty."""
    size = rows.stop - rows.start
    count = min(count, size)
    bounds = [rows.start + size * i // count for i in range(count + 1)]
    return [slice(first, last) for first, last in pairwise(bounds)]
