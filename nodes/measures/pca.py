"""Principal components of vectors: fitted exactly, in float64, with signs that do not depend on the solver."""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from nodes.tensors import Tensors


@dataclass(frozen=True, eq=False)
class Pca(Tensors):
    """The directions in which vectors [N, D] vary most, the widest first, as float32.

    `mean` [1, D]; `components` [K, D], orthonormal rows; `eigenvalues` [D]: mean squares along all directions, of which the
    first K are the components'; `low`, `high` [K]: the range of the vectors' coefficients; `space`: what the vectors are of.
    """

    mean: Tensor
    components: Tensor
    eigenvalues: Tensor
    low: Tensor
    high: Tensor
    space: str = ""

    @property
    def kept(self) -> Tensor:
        """Share in [0, 1] of the vectors' variance that the components hold, a scalar."""
        return self.eigenvalues[: len(self.components)].sum() / self.eigenvalues.sum()


def fit_pca(vectors: Tensor, components: int, space: str = "") -> Pca:
    """The first K principal components of vectors [N, D]. Raises ValueError for more than D, or than N − 1.

    The largest entry of each component is positive. Ref: Pearson 1901; Ramesh et al. 2022, §2.2.
    """
    most = min(vectors.shape[1], len(vectors) - 1)
    if not 1 <= components <= most:
        raise ValueError(
            f"{components} components of {len(vectors)} vectors of {vectors.shape[1]} numbers; "
            f"there are at most {most}"
        )
    rows = vectors.double()
    mean = rows.mean(0, keepdim=True)
    covariance = (rows - mean).T @ (rows - mean) / len(rows)  # [D, D]
    values, vectors_of = cast(tuple[Tensor, Tensor], torch.linalg.eigh(covariance))  # pyright: ignore[reportUnknownMemberType]
    directions = _signed(vectors_of.T.flip(0)[:components])  # [K, D]
    coefficients = (rows - mean) @ directions.T  # [N, K]
    eigenvalues = values.flip(0).clamp(min=0)
    parts = (mean, directions, eigenvalues, coefficients.amin(0), coefficients.amax(0))
    mean, directions, eigenvalues, low, high = (part.float() for part in parts)
    return Pca(mean, directions, eigenvalues, low, high, space)


def _signed(directions: Tensor) -> Tensor:
    """Each row [K, D] or its opposite: the one whose largest entry is positive."""
    largest = directions.gather(1, directions.abs().argmax(1, keepdim=True))
    return directions * largest.sign()


def project(pca: Pca, vectors: Tensor) -> Tensor:
    """Coefficients [B, K] of vectors [B, D] along the components."""
    return (vectors - pca.mean.to(vectors)) @ pca.components.to(vectors).T


def reconstruct(pca: Pca, coefficients: Tensor, components: int) -> Tensor:
    """Vectors [B, D] of the first `components` of coefficients [B, K]; none of them gives the mean."""
    kept = pca.components.to(coefficients)[:components]
    return coefficients[:, :components] @ kept + pca.mean.to(coefficients)


def quantised(pca: Pca, vectors: Tensor, buckets: int) -> Tensor:
    """Vectors [B, D] as codes int64 [B, K]: in which of equal parts of its range each coefficient lies, the ends included."""
    width = (pca.high - pca.low).clamp(min=1e-12).to(vectors)
    shares = (project(pca, vectors) - pca.low.to(vectors)) / width
    return (shares * buckets).floor().long().clamp(0, buckets - 1)


def dequantised(pca: Pca, codes: Tensor, buckets: int) -> Tensor:
    """Vectors [B, D] of the codes [B, N] of the first N components: the middle of each bucket, the mean of the others."""
    count = codes.shape[1]
    width = (pca.high - pca.low)[:count].to(codes.device)
    coefficients = pca.low[:count].to(width) + (codes + 0.5) * width / buckets
    return reconstruct(pca, coefficients, count)
