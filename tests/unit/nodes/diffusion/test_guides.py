"""What guides say of rows, by hand on toy features, and how their gradients enter."""

import pytest
import torch
from torch import Tensor

from nodes.diffusion.denoisers import DiffusionNetwork, Leaf
from nodes.diffusion.process import q_sample
from nodes.diffusion.schedule import schedule
from nodes.diffusion.score_guidance import (
    Reference,
    ScoreGuidance,
    class_log_probability,
    content_log_probability,
    gradient,
    gram,
    structure_log_probability,
    style_log_probability,
    text_log_probability,
)

CHAIN = schedule("cosine", 100)
X = torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(0))
T = torch.tensor([10, 10, 60, 60])


class Numbered:
    """Noise whose every number says which sample and which draw it is of."""

    def draw(self, samples, number: int, shape: tuple[int, ...]) -> Tensor:
        return torch.stack([torch.full(shape, sample + number / 1000) for sample in samples])


REFERENCE = Reference(CHAIN, X.flip(0)[:2], Numbered())
NOISED = q_sample(
    CHAIN,
    REFERENCE.x0.repeat_interleave(2, 0),
    T,
    torch.tensor([0.010, 1.010, 2.060, 3.060]).reshape(-1, 1, 1, 1).expand(-1, 3, 2, 2),
)
"""Rows of the references, each for two samples, with the noise of the sample and of its level."""


def features(x_t: Tensor, t: Tensor) -> list[Tensor]:
    """Two layers [B, 4, 3] of what stands at each place."""
    seen = x_t.flatten(2).transpose(1, 2)
    return [seen, (2 * seen).sin()]


def unit(x_t: Tensor, t: Tensor) -> Tensor:
    return torch.nn.functional.normalize(x_t.flatten(1), dim=1)


def test_a_reference_is_noised_for_each_sample() -> None:
    torch.testing.assert_close(REFERENCE.at(T), NOISED)


def test_a_class() -> None:
    logits = X.flatten(1)[:, :5]
    found = class_log_probability(lambda x, t: x.flatten(1)[:, :5], torch.tensor([3, 0]))(X, T)
    rows = [logits[i, label] - logits[i].logsumexp(0) for i, label in enumerate((3, 3, 0, 0))]
    torch.testing.assert_close(found, torch.stack(rows))


def test_a_text() -> None:
    texts = torch.eye(12)[[2, 7]]
    found = text_log_probability(unit, texts, 20.0)(X, T)
    seen = unit(X, T)
    wanted = [20 * seen[i, k] for i, k in enumerate((2, 2, 7, 7))]
    torch.testing.assert_close(found, torch.stack(wanted))


def test_a_picture_of_the_same_things() -> None:
    found = content_log_probability(unit, REFERENCE, 20.0)(X, T)
    cosines = torch.nn.functional.cosine_similarity(X.flatten(1), NOISED.flatten(1))
    torch.testing.assert_close(found, 20 * cosines)


def test_a_picture_of_the_same_layout() -> None:
    found = structure_log_probability(features, REFERENCE)(X, T)
    pairs = zip(features(X, T), features(NOISED, T), strict=True)
    wanted = [[float(((a[i] - b[i]) ** 2).mean()) for i in range(4)] for a, b in pairs]
    torch.testing.assert_close(found, -torch.tensor(wanted).sum(0))


def test_a_picture_of_the_same_style() -> None:
    found = style_log_probability(features, REFERENCE)(X, T)
    wanted = torch.zeros(4)
    for a, b in zip(features(X, T), features(NOISED, T), strict=True):
        for i in range(4):
            products = [layer[i].T @ layer[i] / (4 * 3) for layer in (a, b)]
            wanted[i] -= (products[0] - products[1]).square().sum()
    torch.testing.assert_close(found, wanted)
    places = X.flatten(2).transpose(1, 2)
    torch.testing.assert_close(gram(places), gram(places[:, [3, 1, 0, 2]]))


@pytest.mark.parametrize(
    "make", [content_log_probability, structure_log_probability, style_log_probability]
)
def test_a_guide_pulls_at_the_sample_not_at_the_reference(make) -> None:
    """The reference is noised with x_t's level, but is no function of x_t."""
    log_probability = (
        make(unit, REFERENCE, 20.0)
        if make is content_log_probability
        else make(features, REFERENCE)
    )
    step = 1e-3 * torch.randn(X.shape, generator=torch.Generator().manual_seed(1))
    slope = (gradient(log_probability, X, T) * step).flatten(1).sum(1)
    change = (log_probability(X + step, T) - log_probability(X - step, T)) / 2
    torch.testing.assert_close(slope, change, rtol=1e-2, atol=1e-6)


@pytest.mark.parametrize("scale", [-2.0, 0.0, 0.5, 3.0])
def test_a_score_is_the_gradient_times_the_scale(scale: float) -> None:
    leaf = Leaf(DiffusionNetwork(lambda x, t: 0.5 * x, CHAIN, (3, 2, 2)))
    guided = ScoreGuidance(leaf, lambda x, t: -x.square().flatten(1).sum(1), scale)
    found = guided(X, T)
    torch.testing.assert_close(found.score, -2 * scale * X)
    twice = ScoreGuidance(guided, lambda x, t: x.flatten(1).sum(1), 1.5)(X, T)
    torch.testing.assert_close(twice.score, 1.5 - 2 * scale * X)
    assert torch.equal(found.x0, leaf(X, T).x0) and torch.equal(twice.x0, found.x0)
    assert (guided.rows, ScoreGuidance(leaf, lambda x, t: x.sum(1), 1.0, 3).rows) == (1, 3)
