"""Guidance by a score: the gradient of a log-probability, taken at x_t, beside the prediction."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor

from nodes.diffusion.denoisers import Prediction
from nodes.diffusion.noise import NoiseSource
from nodes.diffusion.process import q_sample
from nodes.diffusion.schedule import Schedule
from nodes.diffusion.techniques import Wrapper
from nodes.rows import spread

LogProbability = Callable[[Tensor, Tensor], Tensor]
"""(x_t [B, …], t [B]) → log p(y | x_t) [B], up to a constant, differentiable in x_t."""
Embedding = Callable[[Tensor, Tensor], Tensor]
"""(x_t [B, …], t [B]) → unit vectors [B, D]."""
Features = Callable[[Tensor, Tensor], Sequence[Tensor]]
"""(x_t [B, …], t [B]) → what some layers see at N places, each [B, N, W]."""
V = TypeVar("V")


def gradient(log_probability: LogProbability, x_t: Tensor, t: Tensor) -> Tensor:
    """∇ log p(y | x_t) in x_t, [B, …] float32: one backward pass, of the guide alone."""
    with torch.enable_grad():
        x = x_t.detach().requires_grad_()
        # A view, because hooks of modules (such as those that count operations) refuse a leaf.
        (found,) = torch.autograd.grad(log_probability(x.view_as(x), t).sum(), x)
    return found.float()


@dataclass(frozen=True, eq=False)
class ScoreGuidance(Wrapper):
    """Adds scale · ∇ log p(y | x_t) to the inner score; x_0 and variance are left alone, so guides add up by nesting.

    Ancestral sampling shifts its mean by Σ · score, DDIM folds it into ε. `guide_rows`: rows of what the guide asks for.
    Ref: Dhariwal & Nichol 2021, Alg. 1 and 2.
    """

    log_probability: LogProbability
    scale: float
    guide_rows: int = 1

    @property
    def rows(self) -> int:
        return max(self.inner.rows, self.guide_rows)

    def change(self, inner: Prediction, x_t: Tensor, t: Tensor) -> Prediction:
        own = self.scale * gradient(self.log_probability, x_t, t)
        return replace(inner, score=own if inner.score is None else inner.score + own)


def class_log_probability(
    classifier: Callable[[Tensor, Tensor], Tensor], labels: Tensor
) -> LogProbability:
    """log p(label | x_t) of a classifier's logits [B, K]; `labels` [R], R rows for B samples, row-major."""

    def log_probability(x_t: Tensor, t: Tensor) -> Tensor:
        logits = torch.log_softmax(classifier(x_t, t), -1)
        rows = spread(labels.to(x_t.device), len(x_t), "labels")
        return logits.gather(1, rows[:, None])[:, 0]

    return log_probability


def text_log_probability(embedding: Embedding, text: Tensor, logit_scale: float) -> LogProbability:
    """Logit scale times the cosine of noisy pictures to unit embeddings of texts [R, D]. Ref: Nichol et al. 2022, §2.4."""

    def log_probability(x_t: Tensor, t: Tensor) -> Tensor:
        wanted = spread(text.to(x_t.device), len(x_t), "texts")
        return logit_scale * (embedding(x_t, t) * wanted).sum(-1)

    return log_probability


@dataclass(frozen=True, eq=False)
class Reference:
    """A picture to be like: x_0 [R, C, H, W], noised to the level of each x_t along `chain`, by noise of its own."""

    chain: Schedule
    x0: Tensor
    noise: NoiseSource

    def at(self, t: Tensor) -> Tensor:
        """x'_t drawn from q(x'_t | x'_0), [B, C, H, W] for t [B]; draw t of the source for the sample of each row."""
        x0 = spread(self.x0.to(t.device), len(t), "pictures")
        # On shapes alone t has no values; which noise it is does not matter there.
        numbers = [0 if t.is_meta else int(step) for step in t]
        shape = tuple(x0.shape[1:])
        drawn = [self.noise.draw([row], number, shape) for row, number in enumerate(numbers)]
        return q_sample(self.chain, x0, t.long(), torch.cat(drawn).to(t.device))


def content_log_probability(
    embedding: Embedding, reference: Reference, logit_scale: float
) -> LogProbability:
    """Logit scale times the cosine of the embeddings of x_t and x'_t. Ref: Liu et al. 2021, image content guidance."""

    def log_probability(x_t: Tensor, t: Tensor) -> Tensor:
        wanted = _frozen(lambda: embedding(reference.at(t), t))
        return logit_scale * (embedding(x_t, t) * wanted).sum(-1)

    return log_probability


def structure_log_probability(features: Features, reference: Reference) -> LogProbability:
    """−Σ over layers of the mean squared distance between what they see, place by place. Ref: Liu et al. 2021, structure."""

    def log_probability(x_t: Tensor, t: Tensor) -> Tensor:
        wanted = _frozen(lambda: features(reference.at(t), t))
        return -_sum_of((a - b).square().mean((1, 2)) for a, b in _pairs(features(x_t, t), wanted))

    return log_probability


def style_log_probability(features: Features, reference: Reference) -> LogProbability:
    """−Σ over layers of the squared distance between Gram matrices, which know no places. Ref: Liu et al. 2021, style."""

    def log_probability(x_t: Tensor, t: Tensor) -> Tensor:
        wanted = _frozen(lambda: [gram(layer) for layer in features(reference.at(t), t)])
        seen = [gram(layer) for layer in features(x_t, t)]
        return -_sum_of((a - b).square().sum((1, 2)) for a, b in _pairs(seen, wanted))

    return log_probability


def gram(features: Tensor) -> Tensor:
    """Products of channels, averaged over places and divided by their number: [B, N, W] → [B, W, W]. Ref: Gatys et al. 2016."""
    return features.transpose(1, 2) @ features / (features.shape[1] * features.shape[2])


def _frozen(wanted: Callable[[], V]) -> V:
    """What a guide compares with is no function of x_t: no gradient is kept for it."""
    with torch.no_grad():
        return wanted()


def _pairs(seen: Sequence[Tensor], wanted: Sequence[Tensor]) -> Iterable[tuple[Tensor, Tensor]]:
    return zip(seen, wanted, strict=True)


def _sum_of(parts: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(parts)).sum(0)
