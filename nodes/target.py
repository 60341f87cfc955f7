"""What the outputs of a diffusion network mean: configurations say it; denoisers, likelihoods and losses read it. No torch."""

from dataclasses import dataclass
from typing import Literal

Parametrisation = Literal["eps", "x0", "v", "x_prev"]
FixedVariance = Literal["fixed_small", "fixed_large", "fixed_small_log"]


@dataclass(frozen=True, slots=True)
class Target:
    """What the outputs [B, C or 2C, …] of a network mean.

    `parametrisation`: what the first C channels predict: ε, x_0, v or x_{t−1}. `learned_variance`: whether as many more give
    the variance, raw: as a fraction of its range, in about [−1, 1]; "log": as log Σ itself, which losses and likelihoods read,
    and samplers do not. `fixed_variance`: Σ of the reverse steps where none is learned. Ref: Nichol & Dhariwal 2021, §3.1.
    """

    parametrisation: Parametrisation = "eps"
    learned_variance: bool | Literal["log"] = False
    fixed_variance: FixedVariance = "fixed_small"

    def __str__(self) -> str:
        return self.parametrisation + (" and the variance" if self.learned_variance else "")
