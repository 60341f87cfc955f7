"""Techniques: each a wrapper of one denoiser, or of two, that is again a denoiser."""

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from nodes.diffusion.denoisers import (
    Denoiser,
    Leaf,
    Prediction,
    Predictions,
    Settled,
)
from nodes.rows import spread
from nodes.target import FixedVariance, Target

RANGE: frozenset[Settled] = frozenset({"range"})
PIXELS: frozenset[Settled] = frozenset({"pixels"})


@dataclass(frozen=True, eq=False)
class Pair(Denoiser[Any]):
    """What every technique over two denoisers has: the network calls of both, and the rows of the one that has more."""

    first: Denoiser[Any]
    second: Denoiser[Any]

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return tuple(dict.fromkeys((*self.first.leaves, *self.second.leaves)))

    def needs(self, t: Tensor) -> tuple[Leaf, ...]:
        return (*self.first.needs(t), *self.second.needs(t))

    @property
    def target(self) -> Target:
        return self.first.target

    @property
    def rows(self) -> int:
        return max(self.first.rows, self.second.rows)

    @property
    def settled(self) -> frozenset[Settled]:
        return self.first.settled | self.second.settled


@dataclass(frozen=True, eq=False)
class ClassifierFreeGuidance(Pair):
    """x_0 = u + s (c − u), the scores alike; the variance is the conditional branch's. Ref: Ho & Salimans 2022, eq. 6.

    The first is the conditional, the second the unconditional branch. With s = 1 the conditional branch is left alone, and
    the other is not computed; x_0 stands for ε because the weights sum to one.
    """

    scale: float

    def needs(self, t: Tensor) -> tuple[Leaf, ...]:
        return self.first.needs(t) if self.scale == 1 else super().needs(t)

    def combine(self, x_t: Tensor, t: Tensor, known: Predictions) -> Prediction:
        cond = known[self.first]
        if self.scale == 1:
            return cond
        uncond = known[self.second]
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
class GuidanceRescale(Pair):
    """Guided x_0 with φ of the way to the standard deviation of the conditional x_0. Ref: Lin et al. 2023, §3.4.

    The first is the guided, the second the conditional one. In the space of x_0, whatever the network predicts: of a
    chain whose last step has no signal that is the paper's own at the last step, where v = −x_0. Deviations are of a whole
    sample; x_0 is scaled about zero.
    """

    phi: float

    def combine(self, x_t: Tensor, t: Tensor, known: Predictions) -> Prediction:
        guided, cond = known[self.first], known[self.second]
        ratio = _deviation(cond.x0) / _deviation(guided.x0).clamp(min=1e-8)
        return replace(guided, x0=(self.phi * ratio + 1 - self.phi) * guided.x0)


def _deviation(x0: Tensor) -> Tensor:
    """Standard deviation of each sample, [B, 1, …]."""
    return x0.flatten(1).std(1).reshape(-1, *[1] * (x0.ndim - 1))


@dataclass(frozen=True, eq=False)
class GuidanceInterval(Pair):
    """The first for timesteps in [start, end] of the trained chain, the second elsewhere. Ref: Kynkäänniemi et al. 2024."""

    start: int
    end: int

    def needs(self, t: Tensor) -> tuple[Leaf, ...]:
        return self._at(t).needs(t)

    def combine(self, x_t: Tensor, t: Tensor, known: Predictions) -> Prediction:
        return known[self._at(t)]

    def _at(self, t: Tensor) -> Denoiser[Any]:
        """On shapes alone, where t has no values, the first: what costs most."""
        within = t.is_meta or bool(((t >= self.start) & (t <= self.end)).all())
        return self.first if within else self.second


@dataclass(frozen=True, eq=False)
class Wrapper(Denoiser[Any]):
    """What every technique over one denoiser has: the leaves are the inner one's."""

    inner: Denoiser[Any]

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return self.inner.leaves

    def needs(self, t: Tensor) -> tuple[Leaf, ...]:
        return self.inner.needs(t)

    @property
    def target(self) -> Target:
        return self.inner.target

    @property
    def rows(self) -> int:
        return self.inner.rows

    @property
    def settled(self) -> frozenset[Settled]:
        return self.inner.settled

    def combine(self, x_t: Tensor, t: Tensor, known: Predictions) -> Prediction:
        return self.change(known[self.inner], x_t, t)

    @abstractmethod
    def change(self, inner: Prediction, x_t: Tensor, t: Tensor) -> Prediction:
        """The technique itself, on the inner prediction."""


@dataclass(frozen=True, eq=False)
class ClipX0(Wrapper):
    """x_0 within [low, high]; score and variance are left alone. Ref: Ho et al. 2020, §3.2."""

    low: float = -1.0
    high: float = 1.0

    @property
    def settled(self) -> frozenset[Settled]:
        return self.inner.settled | RANGE

    def change(self, inner: Prediction, x_t: Tensor, t: Tensor) -> Prediction:
        return replace(inner, x0=inner.x0.clamp(self.low, self.high))


@dataclass(frozen=True, eq=False)
class DynamicThreshold(Wrapper):
    """x_0 clipped to ±s and divided by s, s being the percentile of |x_0|, at least 1. Ref: Saharia et al. 2022, §2.3."""

    percentile: float = 0.995

    @property
    def settled(self) -> frozenset[Settled]:
        return self.inner.settled | RANGE

    def change(self, inner: Prediction, x_t: Tensor, t: Tensor) -> Prediction:
        size = inner.x0.abs().flatten(1).quantile(self.percentile, dim=1).clamp(min=1.0)
        size = size.reshape(-1, *[1] * (x_t.ndim - 1))
        return replace(inner, x0=inner.x0.clamp(-size, size) / size)


@dataclass(frozen=True, eq=False)
class WithFixedVariance(Wrapper):
    """Σ of the reverse steps by the schedule alone, whether the network learned one or not. Ref: Ho et al. 2020, §3.2."""

    kind: FixedVariance

    @property
    def target(self) -> Target:
        return replace(self.inner.target, learned_variance=False, fixed_variance=self.kind)

    def change(self, inner: Prediction, x_t: Tensor, t: Tensor) -> Prediction:
        return replace(inner, variance=None)


@dataclass(frozen=True, eq=False)
class MaskInpainter(Wrapper):
    """Known x_0 imposed where `mask` is 1; no guide pulls there. Ref: Nichol et al. 2022 (GLIDE), §2.5.

    `known` [R, C, H, W] and `mask` [R, 1, H, W] in [0, 1] have the sample's size; R rows, or one for all. Between 0 and 1
    the two are mixed.
    """

    known: Tensor
    mask: Tensor

    @property
    def rows(self) -> int:
        return max(self.inner.rows, len(self.known), len(self.mask))

    @property
    def settled(self) -> frozenset[Settled]:
        return self.inner.settled | PIXELS

    def change(self, inner: Prediction, x_t: Tensor, t: Tensor) -> Prediction:
        mask = spread(self.mask.to(x_t.device), len(x_t), "rows of 'mask'")
        known = spread(self.known.to(x_t.device), len(x_t), "rows of 'known'")
        x0 = mask * known + (1 - mask) * inner.x0
        score = None if inner.score is None else inner.score * (1 - mask)
        return replace(inner, x0=x0, score=score)
