"""Techniques: each a wrapper of one denoiser, or of two, that is again a denoiser."""

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from nodes.diffusion.denoisers import Denoiser, Leaf, Prediction, Predictions


@dataclass(frozen=True, eq=False)
class ClassifierFreeGuidance(Denoiser[Any]):
    """x_0 = u + s (c − u), the scores alike; the variance is the conditional branch's. Ref: Ho & Salimans 2022, eq. 6.

    With s = 1 the conditional branch is left alone; x_0 stands for ε because the weights sum to one.
    """

    cond: Denoiser[Any]
    uncond: Denoiser[Any]
    scale: float

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return (*self.cond.leaves, *self.uncond.leaves)

    def needs(self, t: Tensor) -> tuple[Leaf, ...]:
        return (*self.cond.needs(t), *self.uncond.needs(t))

    def combine(self, x_t: Tensor, t: Tensor, known: Predictions) -> Prediction:
        cond, uncond = self.cond.combine(x_t, t, known), self.uncond.combine(x_t, t, known)
        return Prediction(
            x0=uncond.x0 + self.scale * (cond.x0 - uncond.x0),
            variance=cond.variance,
            score=_guided_score(cond.score, uncond.score, self.scale),
        )


def _guided_score(cond: Tensor | None, uncond: Tensor | None, scale: float) -> Tensor | None:
    if uncond is None:
        return None if cond is None else scale * cond
    if cond is None:
        return (1 - scale) * uncond
    return uncond + scale * (cond - uncond)


@dataclass(frozen=True, eq=False)
class Wrapper(Denoiser[Any]):
    """What every technique over one denoiser has: the leaves are the inner one's."""

    inner: Denoiser[Any]

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return self.inner.leaves

    def needs(self, t: Tensor) -> tuple[Leaf, ...]:
        return self.inner.needs(t)

    def combine(self, x_t: Tensor, t: Tensor, known: Predictions) -> Prediction:
        return self.change(self.inner.combine(x_t, t, known), x_t, t)

    @abstractmethod
    def change(self, inner: Prediction, x_t: Tensor, t: Tensor) -> Prediction:
        """The technique itself, on the inner prediction."""


@dataclass(frozen=True, eq=False)
class ClipX0(Wrapper):
    """x_0 within [low, high]; score and variance are left alone. Ref: Ho et al. 2020, §3.2."""

    low: float = -1.0
    high: float = 1.0

    def change(self, inner: Prediction, x_t: Tensor, t: Tensor) -> Prediction:
        return replace(inner, x0=inner.x0.clamp(self.low, self.high))


@dataclass(frozen=True, eq=False)
class DynamicThreshold(Wrapper):
    """x_0 clipped to ±s and divided by s, s being the percentile of |x_0|, at least 1. Ref: Saharia et al. 2022, §2.3."""

    percentile: float = 0.995

    def change(self, inner: Prediction, x_t: Tensor, t: Tensor) -> Prediction:
        size = inner.x0.abs().flatten(1).quantile(self.percentile, dim=1).clamp(min=1.0)
        size = size.reshape(-1, *[1] * (x_t.ndim - 1))
        return replace(inner, x0=inner.x0.clamp(-size, size) / size)


@dataclass(frozen=True, eq=False)
class MaskInpainter(Wrapper):
    """Known x_0 imposed where `mask` is 1; no guide pulls there. Ref: Nichol et al. 2022 (GLIDE), §2.5.

    `known` [B, C, H, W] and `mask` [B, 1, H, W] in [0, 1] have the sample's size, or one row for all.
    """

    known: Tensor
    mask: Tensor

    def change(self, inner: Prediction, x_t: Tensor, t: Tensor) -> Prediction:
        mask = self.mask.to(x_t.device)
        x0 = mask * self.known.to(x_t.device) + (1 - mask) * inner.x0
        score = None if inner.score is None else inner.score * (1 - mask)
        return replace(inner, x0=x0, score=score)


@dataclass(frozen=True, eq=False)
class GuidanceInterval(Denoiser[Any]):
    """`inside` for timesteps in [start, end] of the trained chain, `outside` elsewhere. Ref: Kynkäänniemi et al. 2024."""

    inside: Denoiser[Any]
    outside: Denoiser[Any]
    start: int
    end: int

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return tuple(dict.fromkeys((*self.inside.leaves, *self.outside.leaves)))

    def needs(self, t: Tensor) -> tuple[Leaf, ...]:
        return self._at(t).needs(t)

    def combine(self, x_t: Tensor, t: Tensor, known: Predictions) -> Prediction:
        return self._at(t).combine(x_t, t, known)

    def _at(self, t: Tensor) -> Denoiser[Any]:
        """On shapes alone, where t has no values, `inside`: what costs most."""
        within = t.is_meta or bool(((t >= self.start) & (t <= self.end)).all())
        return self.inside if within else self.outside
