"""How near the distribution of generated features is to that of real ones. Features [N, D], one row a picture."""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """Fréchet distance of the normal distributions with the means and covariances of two sets of features.

    |μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½). Raises ValueError for fewer than two rows. Ref: Heusel et al. 2017, eq. 6.
    """
    if min(len(a), len(b)) < 2:
        raise ValueError("a covariance needs at least two rows of features")
    a, b = a.double(), b.double()
    first, second = a.T.cov(), b.T.cov()
    root = _square_root(first)
    shared = cast(Tensor, torch.linalg.eigvalsh(root @ second @ root))  # pyright: ignore[reportUnknownMemberType]
    overlap = shared.clamp(min=0).sqrt().sum()
    distance = (a.mean(0) - b.mean(0)).square().sum() + first.trace() + second.trace() - 2 * overlap
    return max(0.0, float(distance))


def _square_root(symmetric: Tensor) -> Tensor:
    """The square root of a positive semidefinite matrix."""
    values, vectors = cast(tuple[Tensor, Tensor], torch.linalg.eigh(symmetric))  # pyright: ignore[reportUnknownMemberType]
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.T


def kernel_distance(a: Tensor, b: Tensor) -> float:
    """Unbiased squared maximum mean discrepancy under the kernel (x·y / D + 1)³; it may fall below 0.

    Raises ValueError for fewer than two rows. Ref: Bińkowski et al. 2018, §4 (KID).
    """
    if min(len(a), len(b)) < 2:
        raise ValueError("an unbiased estimate needs at least two rows of features")
    a, b = a.double(), b.double()
    within = _off_diagonal_mean(_kernel(a, a)) + _off_diagonal_mean(_kernel(b, b))
    return float(within - 2 * _kernel(a, b).mean())


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    return (a @ b.T / a.shape[1] + 1) ** 3


def _off_diagonal_mean(square: Tensor) -> Tensor:
    count = len(square)
    return (square.sum() - square.trace()) / (count * (count - 1))


@dataclass(frozen=True, slots=True)
class Coverage:
    """Shares in [0, 1]: `precision` of generated features among the real ones, `recall` of real ones among the generated."""

    precision: float
    recall: float


def precision_recall(generated: Tensor, real: Tensor, neighbours: int = 3) -> Coverage:
    """Shares of features that lie within the reach of the other set: balls out to each row's k-th nearest neighbour.

    Raises ValueError for sets of no more than k rows. Ref: Kynkäänniemi et al. 2019, eq. 1–3.
    """
    if min(len(generated), len(real)) <= neighbours:
        raise ValueError(f"{neighbours} neighbours need more than {neighbours} rows of features")
    generated, real = generated.double(), real.double()
    across = torch.cdist(generated, real)  # [G, R]
    within_real = (across <= _reach(real, neighbours)[None, :]).any(1)
    within_generated = (across <= _reach(generated, neighbours)[:, None]).any(0)
    return Coverage(float(within_real.double().mean()), float(within_generated.double().mean()))


def _reach(features: Tensor, neighbours: int) -> Tensor:
    """Distance of each row to its k-th nearest neighbour, [N]."""
    return torch.cdist(features, features).kthvalue(neighbours + 1, dim=1).values
