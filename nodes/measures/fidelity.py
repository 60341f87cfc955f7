"""How near the distribution of generated features is to that of real ones. Features [N, D], one row a picture."""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """Fréchet distance of the normal distributions with the means and covariances of two sets of features.

    |μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½). Raises ValueError for fewer than two rows. Ref: Heusel et al. 2017, eq. 6.
    """
    return float(resampled_frechet(a, b, torch.ones(1, len(a), dtype=torch.int64))[0])


def resampled_frechet(a: Tensor, b: Tensor, counts: Tensor) -> Tensor:
    """The same of resamples of `a`, which hold each of its rows so often as `counts` [R, N] says (int64): [R].

    Rows that are there twice make the distance larger, the more so the fewer there are.
    """
    if min(len(a), len(b)) < 2:
        raise ValueError("a covariance needs at least two rows of features")
    a, b = a.double(), b.double()
    root = _square_root(b.T.cov())
    return torch.stack([_between(a, row, b, root) for row in counts])


def _between(a: Tensor, counts: Tensor, b: Tensor, root: Tensor) -> Tensor:
    """The distance of one resample of `a`; `root` is the square root of the covariance of `b`."""
    often, total = counts.double(), counts.sum()
    mean = often @ a / total
    centred = a - mean
    first = (centred * often[:, None]).T @ centred / (total - 1)
    shared = cast(Tensor, torch.linalg.eigvalsh(root @ first @ root))  # pyright: ignore[reportUnknownMemberType]
    overlap = shared.clamp(min=0).sqrt().sum()
    apart = (mean - b.mean(0)).square().sum()
    return (apart + first.trace() + root.square().sum() - 2 * overlap).clamp(min=0)


def _square_root(symmetric: Tensor) -> Tensor:
    """The square root of a positive semidefinite matrix."""
    values, vectors = cast(tuple[Tensor, Tensor], torch.linalg.eigh(symmetric))  # pyright: ignore[reportUnknownMemberType]
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.T


def kernel_distance(a: Tensor, b: Tensor) -> float:
    """Unbiased squared maximum mean discrepancy under the kernel (x·y / D + 1)³; it may fall below 0.

    Raises ValueError for fewer than two rows. Ref: Bińkowski et al. 2018, §4 (KID).
    """
    return float(resampled_kernel(a, b, torch.ones(1, len(a), dtype=torch.int64))[0])


def resampled_kernel(a: Tensor, b: Tensor, counts: Tensor) -> Tensor:
    """The same of resamples of `a`, as `resampled_frechet`; no row is paired with itself, however often it is there."""
    if min(len(a), len(b)) < 2:
        raise ValueError("an unbiased estimate needs at least two rows of features")
    a, b, often = a.double(), b.double(), counts.double()
    own, total, squares = _kernel(a, a), often.sum(1), often.square()
    pairs = (often @ own * often).sum(1) - squares @ own.diagonal()
    within = pairs / (total.square() - squares.sum(1))
    across = often @ _kernel(a, b).mean(1) / total
    return within + _off_diagonal_mean(_kernel(b, b)) - 2 * across


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
    once = torch.ones(1, len(generated), dtype=torch.int64)
    precision, recall = resampled_coverage(generated, real, once, neighbours)
    return Coverage(float(precision[0]), float(recall[0]))


def resampled_coverage(
    generated: Tensor, real: Tensor, counts: Tensor, neighbours: int = 3
) -> tuple[Tensor, Tensor]:
    """The same of resamples of the generated features, as `resampled_frechet`; each keeps its reach in all of them."""
    if min(len(generated), len(real)) <= neighbours:
        raise ValueError(f"{neighbours} neighbours need more than {neighbours} rows of features")
    generated, real = generated.double(), real.double()
    across = torch.cdist(generated, real)  # [G, R]
    among_real = (across <= _reach(real, neighbours)[None, :]).any(1).double()
    covering = (across <= _reach(generated, neighbours)[:, None]).double()
    often = counts.double()
    covered = (often @ covering) > 0  # [resamples, R]
    return often @ among_real / often.sum(1), covered.double().mean(1)


def _reach(features: Tensor, neighbours: int) -> Tensor:
    """Distance of each row to its k-th nearest neighbour, [N]."""
    return torch.cdist(features, features).kthvalue(neighbours + 1, dim=1).values
