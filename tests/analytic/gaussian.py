"""A normal distribution N(m, S): what is exact about it, and a way to see the law of samples without drawing many.

A sampler is affine in its noise where the denoiser is affine in x_t, as that of a normal distribution is. So one row for
each number that is drawn tells the whole law of the result: the row without noise is the mean, the others' distances from it
are the columns of a square root of the covariance.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nodes.diffusion.denoisers import DiffusionNetwork, Leaf
from nodes.diffusion.process import eps_from_x0, v_from_x0
from nodes.diffusion.samplers import Sampling, Start
from nodes.diffusion.schedule import Schedule, from_betas
from nodes.diffusion.score_guidance import LogProbability
from nodes.target import Target

MEAN = torch.tensor([0.5, -0.3])
COVARIANCE = torch.tensor([[0.30, 0.12], [0.12, 0.15]])
LOOK, SPREAD, SEEN = torch.tensor([0.8, -0.6]), 0.1, 1.4
"""An observation y = LOOK · x_0 + noise of variance SPREAD, and the y that was seen."""


def exact_x0(
    chain: Schedule,
    x_t: Tensor,
    t: Tensor,
    mean: Tensor = MEAN,
    covariance: Tensor = COVARIANCE,
) -> Tensor:
    """E[x_0 | x_t] for x_0 ~ N(m, S): m + √ᾱ S (ᾱ S + (1 − ᾱ))⁻¹ (x_t − √ᾱ m)."""
    bar = float(chain.alphas_cumprod[int(t[0])])
    mean, covariance = mean.double(), covariance.double()
    eye = torch.eye(len(mean)).double()
    gain = bar**0.5 * covariance @ torch.linalg.inv(bar * covariance + (1 - bar) * eye)
    return (mean + (x_t.double() - bar**0.5 * mean) @ gain.T).float()


def denoiser(
    kind: str, chain: Schedule, mean: Tensor = MEAN, covariance: Tensor = COVARIANCE, **more: str
) -> Leaf:
    """The perfect network of N(m, S)."""
    convert = {"x0": lambda x, t, x0: x0, "eps": lambda x, t, x0: eps_from_x0(chain, x, t, x0)}
    convert["v"] = lambda x, t, x0: v_from_x0(chain, x, t, x0)

    def call(x_t: Tensor, t: Tensor) -> Tensor:
        return convert[kind](x_t, t, exact_x0(chain, x_t, t, mean, covariance))

    return Leaf(DiffusionNetwork(call, chain, (len(mean),), Target(kind, **more)))  # type: ignore[arg-type]


def run(sampling: Sampling) -> Tensor:
    *_, last = sampling
    return last.x_t


@dataclass(frozen=True)
class Impulses:
    """Noise that is 0 but for one number of one draw in each row but the first; `draws` of `width` numbers."""

    draws: int
    width: int = 2

    @property
    def rows(self) -> int:
        return 1 + self.draws * self.width

    def draw(self, samples: Sequence[int], number: int, shape: tuple[int, ...]) -> Tensor:
        drawn = torch.zeros(len(samples), *shape)
        begin = 1 + number * self.width
        for place, sample in enumerate(samples):
            if 0 <= sample - begin < self.width:
                drawn[place, sample - begin] = 1
        return drawn


def law(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and covariance of what a sampler made of `Impulses`."""
    columns = (rows[1:] - rows[:1]).double()
    return rows[0].double(), columns.T @ columns


def law_at(
    chain: Schedule, level: int, mean: Tensor = MEAN, covariance: Tensor = COVARIANCE
) -> tuple[Tensor, Tensor]:
    """Mean and covariance of x_t at a level of the chain; −1 is the data."""
    bar = chain.alphas_cumprod[level] if level >= 0 else torch.tensor(1.0).double()
    eye = torch.eye(len(mean)).double()
    return bar.sqrt() * mean.double(), bar * covariance.double() + (1 - bar) * eye


def from_x_t(chain: Schedule, draws: int, mean: Tensor, covariance: Tensor) -> Start:
    """A start whose x_t has the law of the last level of the chain; of the `draws` that follow one row each."""
    noise = Impulses(1 + draws, len(mean))
    centre, spread = law_at(chain, len(chain) - 1, mean, covariance)
    rows = centre.repeat(noise.rows, 1)
    rows[1 : 1 + len(mean)] += torch.linalg.cholesky(spread).T
    return Start(noise, x_t=rows.float())


def distance(found: tuple[Tensor, Tensor], wanted: tuple[Tensor, Tensor]) -> float:
    """The largest difference of two means, or of two covariances."""
    return max(float((a - b).abs().max()) for a, b in zip(found, wanted, strict=True))


def even_chain(steps: int, uneven: bool = False) -> Schedule:
    """A chain whose log-SNR falls from 2 to −2 in equal steps, or in turn in small ones and twice as large ones."""
    widths = torch.ones(steps - 1).double()
    if uneven:
        widths[::2] = 2
    half_log_snr = 2 - 4 * torch.cat([torch.zeros(1).double(), widths.cumsum(0)]) / widths.sum()
    products = torch.sigmoid(2 * half_log_snr)
    return from_betas(1 - products / torch.cat([torch.ones(1).double(), products[:-1]]))


def log_likelihood(chain: Schedule) -> LogProbability:
    """log p(y | x_t) [B], exactly: a normal whose mean and variance follow from those of x_0 given x_t."""

    def log_probability(x_t: Tensor, t: Tensor) -> Tensor:
        bar = chain.alphas_cumprod[int(t[0])].float()
        inverse = torch.linalg.inv(bar * COVARIANCE + (1 - bar) * torch.eye(2))
        mean = MEAN + bar.sqrt() * (x_t - bar.sqrt() * MEAN) @ inverse @ COVARIANCE
        covariance = COVARIANCE - bar * COVARIANCE @ inverse @ COVARIANCE
        return -((SEEN - mean @ LOOK) ** 2) / (2 * (LOOK @ covariance @ LOOK + SPREAD))

    return log_probability


def posterior() -> tuple[Tensor, Tensor]:
    """Mean and covariance of x_0 given y."""
    gain = COVARIANCE @ LOOK / (LOOK @ COVARIANCE @ LOOK + SPREAD)
    return MEAN + gain * (SEEN - LOOK @ MEAN), COVARIANCE - gain[:, None] * (LOOK @ COVARIANCE)
