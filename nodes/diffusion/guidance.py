"""Guidance by a score: the gradient of a log-probability, taken at x_t, beside the prediction."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from nodes.diffusion.denoisers import Prediction
from nodes.diffusion.techniques import Wrapper

LogProbability = Callable[[Tensor, Tensor], Tensor]
"""(x_t [B, …], t [B]) → log p(y | x_t) [B], up to a constant, differentiable in x_t."""


def gradient(log_probability: LogProbability, x_t: Tensor, t: Tensor) -> Tensor:
    """∇ log p(y | x_t) in x_t, [B, …] float32: one backward pass, of the guide alone."""
    with torch.enable_grad():
        x = x_t.detach().requires_grad_()
        (found,) = torch.autograd.grad(log_probability(x, t).sum(), x)
    return found.float()


@dataclass(frozen=True, eq=False)
class ScoreGuidance(Wrapper):
    """Adds scale · ∇ log p(y | x_t) to the inner score; x_0 and variance are left alone, so guides add up by nesting.

    Ancestral sampling shifts its mean by Σ · score, DDIM folds it into ε. Ref: Dhariwal & Nichol 2021, Alg. 1 and 2.
    """

    log_probability: LogProbability
    scale: float

    def change(self, inner: Prediction, x_t: Tensor, t: Tensor) -> Prediction:
        own = self.scale * gradient(self.log_probability, x_t, t)
        return replace(inner, score=own if inner.score is None else inner.score + own)


def class_log_probability(
    classifier: Callable[[Tensor, Tensor], Tensor], labels: Tensor
) -> LogProbability:
    """log p(label | x_t) of a classifier's logits [B, K]; `labels` [R], R rows for B samples, row-major."""

    def log_probability(x_t: Tensor, t: Tensor) -> Tensor:
        logits = torch.log_softmax(classifier(x_t, t), -1)
        rows = labels.to(x_t.device).repeat_interleave(len(x_t) // len(labels))
        return logits.gather(1, rows[:, None])[:, 0]

    return log_probability
