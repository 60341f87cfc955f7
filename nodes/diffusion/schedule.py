"""Noise schedules: β_t of the forward process and every table that follows from them, in float64."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

Kind = Literal[
    "linear",
    "cosine",
    "cosine_float32",
    "geometric",
    "quad",
    "const",
    "jsd",
    "warmup10",
    "warmup50",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
MAX_BETA = 0.999


@dataclass(frozen=True, eq=False)
class Schedule:
    """A chain q(x_t | x_{t-1}) = N(√(1 − β_t) x_{t-1}, β_t), t = 0 … T − 1.

    `betas` float64 [T]; `timesteps` int64 [T]: the index of each step in the chain the network was trained on;
    `train_steps`: length of that chain; `kind`: its name. A trained chain has timesteps 0 … T − 1.
    `visits`: the steps that a sampler takes, in their order; a visit of step t leaves x at level t − 1, and a later visit of a
    step above that level is reached by noise. By default every step once, the noisiest first. `products` [T]: ᾱ of a chain
    whose tables are kept in another precision than float64. Ref: Ho et al. 2020, eq. 2.
    """

    kind: str
    betas: Tensor
    timesteps: Tensor
    train_steps: int
    visits: tuple[int, ...] = ()
    products: Tensor | None = None

    def __post_init__(self) -> None:
        if self.betas.dtype != torch.float64 or self.betas.ndim != 1 or not len(self.betas):
            raise ValueError(
                f"betas must be float64 [T], not {self.betas.dtype} {list(self.betas.shape)}"
            )
        if not bool(((self.betas > 0) & (self.betas <= 1)).all()):
            raise ValueError(
                f"betas must lie in (0, 1]; they span {self.betas.min()} … {self.betas.max()}"
            )
        if not self.visits:
            object.__setattr__(self, "visits", tuple(range(len(self.betas) - 1, -1, -1)))
        _check_visits(self.visits, len(self.betas))

    def __len__(self) -> int:
        return len(self.betas)

    @property
    def chain(self) -> tuple[str, int]:
        """The trained chain that this is, or is cut from: its kind and length. Equal chains have the same noise at each t."""
        return self.kind, self.train_steps

    @property
    def jumps(self) -> int:
        """How often a sampler goes up again."""
        return sum(later >= earlier for earlier, later in pairwise(self.visits))

    @cached_property
    def alphas_cumprod(self) -> Tensor:
        """ᾱ_t = ∏ (1 − β)."""
        return torch.cumprod(1 - self.betas, 0) if self.products is None else self.products.double()

    @cached_property
    def alphas_cumprod_prev(self) -> Tensor:
        """ᾱ_{t−1}, 1 before the first step."""
        return torch.cat([self.alphas_cumprod.new_ones(1), self.alphas_cumprod[:-1]])

    @cached_property
    def alphas_cumprod_next(self) -> Tensor:
        """ᾱ_{t+1}, 0 after the last step."""
        return torch.cat([self.alphas_cumprod[1:], self.alphas_cumprod.new_zeros(1)])

    @cached_property
    def sqrt_alphas_cumprod(self) -> Tensor:
        """√ᾱ_t: share of the signal."""
        return self.alphas_cumprod.sqrt()

    @cached_property
    def sqrt_one_minus_alphas_cumprod(self) -> Tensor:
        """√(1 − ᾱ_t): standard deviation of the noise."""
        return (1 - self.alphas_cumprod).sqrt()

    @cached_property
    def log_one_minus_alphas_cumprod(self) -> Tensor:
        """log(1 − ᾱ_t)."""
        return (1 - self.alphas_cumprod).log()

    @cached_property
    def sqrt_recip_alphas_cumprod(self) -> Tensor:
        """√(1 / ᾱ_t)."""
        return (1 / self.alphas_cumprod).sqrt()

    @cached_property
    def sqrt_recipm1_alphas_cumprod(self) -> Tensor:
        """√(1 / ᾱ_t − 1)."""
        return (1 / self.alphas_cumprod - 1).sqrt()

    @cached_property
    def posterior_variance(self) -> Tensor:
        """β̃_t, the variance of q(x_{t−1} | x_t, x_0). Ref: Ho et al. 2020, eq. 7."""
        return self.betas * (1 - self.alphas_cumprod_prev) / (1 - self.alphas_cumprod)

    @cached_property
    def posterior_log_variance_clipped(self) -> Tensor:
        """log β̃_t, with the second value in place of the first, which is log 0."""
        variance = self.posterior_variance
        return torch.cat(
            [variance[1:2] if len(self) > 1 else variance.clamp(min=1e-20), variance[1:]]
        ).log()

    @cached_property
    def posterior_mean_coef1(self) -> Tensor:
        """Weight of x_0 in the posterior mean. Ref: Ho et al. 2020, eq. 7."""
        return self.betas * self.alphas_cumprod_prev.sqrt() / (1 - self.alphas_cumprod)

    @cached_property
    def posterior_mean_coef2(self) -> Tensor:
        """Weight of x_t in the posterior mean. Ref: Ho et al. 2020, eq. 7."""
        return (1 - self.alphas_cumprod_prev) * (1 - self.betas).sqrt() / (1 - self.alphas_cumprod)


def _check_visits(visits: tuple[int, ...], steps: int) -> None:
    """A walk from any step down to the last: never below the level that it has reached. Raises ValueError for another."""
    leaps = any(later < earlier - 1 for earlier, later in pairwise(visits))
    if leaps or visits[-1] != 0 or not all(0 <= step < steps for step in visits):
        raise ValueError(f"visits must lead down to step 0 of {steps}, one step at a time")


def at(table: Tensor, steps: Tensor, like: Tensor) -> Tensor:
    """Entries `table[steps]` as float32, shaped [B, 1, …] to multiply `like` [B, …]."""
    chosen = table.to(steps.device)[steps].float()
    return chosen.reshape(-1, *[1] * (like.ndim - 1)).to(like.device)


def schedule(kind: Kind, train_steps: int = 1000) -> Schedule:
    """The trained chain of a kind. Raises ValueError on an unknown kind or fewer than one step.

    `linear`: β from 1e-4 to 0.02, scaled by 1000 / steps (Ho et al. 2020); `cosine`: Nichol & Dhariwal 2021, eq. 17;
    `cosine_float32`: the same with its tables in single precision, as diffusers keeps them for unCLIP, where β_0 / (1 − ᾱ_0)
    is no longer 1; `geometric`: β in equal ratios over the range of `linear`; the rest are early variants with that range.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown schedule '{kind}'; there are {', '.join(KINDS)}")
    if train_steps < 1:
        raise ValueError(f"a schedule needs at least one step, not {train_steps}")
    if kind == "cosine":
        return from_betas(cosine_betas(train_steps), kind)
    if kind == "cosine_float32":
        betas = torch.tensor(cosine_betas(train_steps), dtype=torch.float32)
        chain = from_betas(betas.double(), kind)
        return replace(chain, products=torch.cumprod(1 - betas, 0))
    scale = 1000 / train_steps
    low, high = min(MAX_BETA, scale * 1e-4), min(MAX_BETA, scale * 0.02)
    return from_betas(ranged_betas(kind, low, high, train_steps), kind)


def from_betas(betas: Sequence[float] | np.ndarray | Tensor, kind: str = "explicit") -> Schedule:
    """A trained chain with the given betas."""
    table = torch.as_tensor(np.asarray(betas), dtype=torch.float64)
    return Schedule(kind, table, torch.arange(len(table)), len(table))


def cosine_betas(steps: int) -> list[float]:
    """β_t from ᾱ(t) = cos²((t + 0.008) / 1.008 · π/2), at most 0.999. Ref: Nichol & Dhariwal 2021, eq. 17."""

    def alpha_bar(time: float) -> float:
        return math.cos((time + 0.008) / 1.008 * math.pi / 2) ** 2

    return [
        min(1 - alpha_bar((i + 1) / steps) / alpha_bar(i / steps), MAX_BETA) for i in range(steps)
    ]


def ranged_betas(kind: Kind, low: float, high: float, steps: int) -> np.ndarray:
    """β from `low` to `high` in the way of `kind`, float64 [steps]."""
    if kind in ("cosine", "cosine_float32") or kind not in KINDS:
        raise ValueError(f"the schedule '{kind}' has no range of β; use schedule('{kind}')")
    if kind in ("warmup10", "warmup50"):
        return _warmup(low, high, steps, 0.1 if kind == "warmup10" else 0.5)
    if kind == "geometric":
        return low * (high / low) ** np.linspace(0, 1, steps)
    if kind == "quad":
        return np.array(
            [(low**0.5 + (high**0.5 - low**0.5) * i / max(1, steps - 1)) ** 2 for i in range(steps)]
        )
    if kind == "jsd":
        return np.array([1 / (steps - i) for i in range(steps)])
    return np.linspace(low, high, steps) if kind == "linear" else np.full(steps, high)


def _warmup(low: float, high: float, steps: int, share: float) -> np.ndarray:
    rising = int(steps * share)
    return np.concatenate([np.linspace(low, high, rising), np.full(steps - rising, high)])
