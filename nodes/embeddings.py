"""Nodes between embeddings, and between noises."""

from dataclasses import replace
from typing import Annotated, Any

import torch
from torch import Tensor

from nodegraph import Doc, Mismatch, Range, node
from nodes.diffusion.noise import Noise
from nodes.types import PORT_TYPES as PORT_TYPES
from nodes.types import X

Share = Annotated[
    float | list[float],
    Range(0, 1),
    Doc("0 = a, 1 = b; a list gives that many results for each row."),
]


@node(category="embeddings", words=("spherical interpolation",))
def slerp(a: X, b: X, t: Share = 0.5) -> X:
    """Spherical interpolation of rows [B, …]: along the great circle, the length interpolated too. t[T] on B rows gives B·T.

    Rows that are parallel are interpolated on the straight line. Noise keeps its place in the chain. Raises Mismatch on
    other shapes, or noise of another place.
    Ref: Shoemake 1985; Ramesh et al. 2022, §3.2.
    """
    if isinstance(a, Noise) and isinstance(b, Noise):
        return replace(_at_one_level(a, b), x_t=slerp(a.x_t, b.x_t, t))  # type: ignore[return-value]
    first, second, shares = _rows(a, b, t)  # type: ignore[arg-type]
    length_a, length_b = (v.flatten(1).norm(dim=1).reshape(shares.shape) for v in (first, second))
    cosine = (first * second).flatten(1).sum(1).reshape(shares.shape) / (length_a * length_b).clamp(
        min=1e-12
    )
    angle = cosine.clamp(-1, 1).acos()
    sine = angle.sin()
    parallel = sine < 1e-6
    safe = torch.where(parallel, torch.ones_like(sine), sine)
    near = torch.where(parallel, 1 - shares, ((1 - shares) * angle).sin() / safe)
    far = torch.where(parallel, shares, (shares * angle).sin() / safe)
    unit = near * first / length_a.clamp(min=1e-12) + far * second / length_b.clamp(min=1e-12)
    return unit * ((1 - shares) * length_a + shares * length_b)  # type: ignore[return-value]


@node(category="embeddings", words=("linear interpolation", "mix"))
def lerp(a: X, b: X, t: Share = 0.5) -> X:
    """Linear interpolation of rows [B, …]; t[T] on B rows gives B·T. Raises Mismatch on other shapes."""
    first, second, shares = _rows(a, b, t)  # type: ignore[arg-type]
    return first + shares * (second - first)  # type: ignore[return-value]


def _at_one_level(a: Noise[Any], b: Noise[Any]) -> Noise[Any]:
    if (a.timestep, a.kind, a.train_steps) != (b.timestep, b.kind, b.train_steps):
        raise Mismatch("the two are at other places of their chains", port="b")
    return a


def _rows(a: Tensor, b: Tensor, t: float | list[float]) -> tuple[Tensor, Tensor, Tensor]:
    """Rows of both, each repeated for each share, and the shares [B·T, 1, …]."""
    if a.shape[1:] != b.shape[1:] or (len(a) != len(b) and 1 not in (len(a), len(b))):
        raise Mismatch(f"{list(a.shape)} and {list(b.shape)} cannot be interpolated", port="b")
    shares = torch.tensor(t if isinstance(t, list) else [t], dtype=a.dtype, device=a.device)
    rows = max(len(a), len(b))
    first, second = (v.expand(rows, *v.shape[1:]).repeat_interleave(len(shares), 0) for v in (a, b))
    return first, second, shares.repeat(rows).reshape(-1, *[1] * (a.ndim - 1))
