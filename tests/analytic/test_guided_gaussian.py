"""Guidance and inpainting where the answer is known: N(m, S), given an observation, or given some of its coordinates."""

from collections.abc import Sequence

import pytest
import torch
from gaussian import COVARIANCE, MEAN, denoiser, exact_x0, log_likelihood, posterior, run
from torch import Tensor

from nodes.diffusion.denoisers import DiffusionNetwork, Leaf
from nodes.diffusion.respacing import respace, started_at, trained_chain, with_resampling
from nodes.diffusion.samplers import Start, ancestral, ddim, dpm_solver
from nodes.diffusion.schedule import Schedule, schedule
from nodes.diffusion.score_guidance import ScoreGuidance
from nodes.diffusion.techniques import MaskInpainter
from nodes.target import Target

CHAIN = schedule("cosine", 1000)
COUNT = 2000
LIKELIHOOD = log_likelihood(CHAIN)
KNOWN = 1.2
"""The first coordinate of x_0."""


class Drawn:
    """Noise of a whole batch at once, for speed: it does not belong to a sample."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def draw(self, samples: Sequence[int], number: int, shape: tuple[int, ...]) -> Tensor:
        generator = torch.Generator().manual_seed(1000 * self.seed + number)
        return torch.randn(len(samples), *shape, generator=generator)


SAMPLERS = {
    "ancestral": ancestral,
    "ddim": ddim,
    "ddim_noisy": lambda d, s, start: ddim(d, s, start, eta=1.0),
    "dpm_2": dpm_solver,
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_guide_turns_the_prior_into_the_posterior(name: str) -> None:
    guided = ScoreGuidance(denoiser("eps", CHAIN), LIKELIHOOD, 1.0)
    mean, covariance = posterior()
    found = [
        run(SAMPLERS[name](guided, respace(CHAIN, steps), Start(Drawn(5), COUNT)))
        for steps in (10, 1000)
    ]
    errors = [
        max(float((x.mean(0) - mean).abs().max()), float((x.T.cov() - covariance).abs().max()))
        for x in found
    ]
    assert errors[1] < 0.03
    assert errors[1] < errors[0]
    assert float((mean - MEAN).abs().max()) > 0.3


def test_two_guides_are_one_with_both_observations() -> None:
    half = ScoreGuidance(denoiser("eps", CHAIN), LIKELIHOOD, 0.5)
    twice = ScoreGuidance(half, LIKELIHOOD, 0.5)
    once = ScoreGuidance(denoiser("eps", CHAIN), LIKELIHOOD, 1.0)
    spaced, start = respace(CHAIN, 20), Start(Drawn(1), 8)
    torch.testing.assert_close(
        run(ancestral(twice, spaced, start)), run(ancestral(once, spaced, start))
    )


def conditional() -> tuple[float, float]:
    """Mean and variance of the second coordinate, given the first."""
    slope = COVARIANCE[0, 1] / COVARIANCE[0, 0]
    mean = MEAN[1] + slope * (KNOWN - MEAN[0])
    return float(mean), float(COVARIANCE[1, 1] - slope * COVARIANCE[0, 1])


def inpainted(inner: Leaf, chain: Schedule, sampler) -> Tensor:
    mask = torch.tensor([[1.0, 0.0]])
    masked = MaskInpainter(inner, torch.full((1, 2), KNOWN), mask)
    return run(sampler(masked, chain, Start(Drawn(2), COUNT)))


def error(x: Tensor) -> float:
    mean, variance = conditional()
    assert float((x[:, 0] - KNOWN).abs().max()) < 1e-3
    return max(abs(float(x[:, 1].mean()) - mean), abs(float(x[:, 1].var()) - variance))


def told_network() -> Leaf:
    """What a network learns that is told the known coordinate: E[x_0 | x_t, known]; of it, x_t tells nothing more."""
    mean, variance = conditional()

    def call(x_t: Tensor, t: Tensor) -> Tensor:
        bar = CHAIN.alphas_cumprod[int(t[0])].float()
        gain = bar.sqrt() * variance / (bar * variance + 1 - bar)
        second = mean + gain * (x_t[:, 1] - bar.sqrt() * mean)
        return torch.stack([torch.full_like(second, KNOWN), second], 1)

    return Leaf(DiffusionNetwork(call, CHAIN, (2,), Target("x0")))


@pytest.mark.parametrize("name", ["ancestral", "ddim"])
def test_a_network_that_is_told_completes_exactly(name: str) -> None:
    assert error(inpainted(told_network(), respace(CHAIN, 300), SAMPLERS[name])) < 0.02


@pytest.mark.parametrize("name", ["ancestral", "ddim"])
def test_resampling_makes_the_rest_agree_with_what_is_known(name: str) -> None:
    """Imposing what is known is not enough; repeated walks of a fine schedule end at the exact conditional."""
    inner, fine = denoiser("eps", CHAIN), respace(CHAIN, 250)
    found = [
        error(inpainted(inner, with_resampling(fine, 10, n), SAMPLERS[name])) for n in (1, 4, 20)
    ]
    assert found[0] > 0.08
    assert found[1] < 0.7 * found[0]
    assert found[2] < 0.03


def test_jumps_alone_change_nothing_in_the_distribution() -> None:
    walk = with_resampling(respace(CHAIN, 300), 30, 3)
    x = run(ancestral(denoiser("eps", CHAIN), walk, Start(Drawn(4), COUNT)))
    assert float((x.mean(0) - MEAN).abs().max()) < 0.03
    assert float((x.T.cov() - COVARIANCE).abs().max()) < 0.03


def test_a_start_from_the_data_gives_the_data() -> None:
    generator = torch.Generator().manual_seed(0)
    x0 = MEAN + torch.randn(COUNT, 2, generator=generator) @ torch.linalg.cholesky(COVARIANCE).T
    for timestep in (437, 500):
        bar = CHAIN.alphas_cumprod[timestep].float()
        x_t = bar.sqrt() * x0 + (1 - bar).sqrt() * torch.randn(COUNT, 2, generator=generator)
        left = started_at(respace(CHAIN, 300), timestep)
        assert left.timesteps[-1] == timestep
        torch.testing.assert_close(left.alphas_cumprod[-1], CHAIN.alphas_cumprod[timestep])
        x = run(ancestral(denoiser("eps", CHAIN), left, Start(Drawn(9), x_t=x_t)))
        assert float((x.mean(0) - MEAN).abs().max()) < 0.03
        assert float((x.T.cov() - COVARIANCE).abs().max()) < 0.03
        assert float(torch.corrcoef(torch.stack([x[:, 0], x0[:, 0]]))[0, 1]) > 0.2


def test_walks_with_jumps() -> None:
    spaced = respace(CHAIN, 6)
    assert spaced.visits == (5, 4, 3, 2, 1, 0)
    walk = with_resampling(spaced, 2, 2)
    assert walk.visits == (5, 4, 3, 4, 3, 2, 1, 2, 1, 0)
    assert (walk.jumps, len(walk)) == (2, 6)
    assert with_resampling(spaced, 2, 1).visits == spaced.visits
    left = started_at(walk, int(spaced.timesteps[3]))
    assert left.visits == (3, 3, 2, 1, 2, 1, 0)
    between = started_at(walk, int(spaced.timesteps[3]) + 1)
    assert between.visits == (4, 3, 3, 2, 1, 2, 1, 0)
    assert torch.equal(between.timesteps[:4], spaced.timesteps[:4])
    assert torch.equal(trained_chain(walk).betas, CHAIN.betas)
    with pytest.raises(ValueError, match="jumps already"):
        with_resampling(walk, 2, 2)
    for visits in ((5, 3, 2, 1, 0), (5, 4, 3, 2, 1), (6, 5, 4, 3, 2, 1, 0)):
        with pytest.raises(ValueError, match="one step at a time"):
            Schedule(spaced.kind, spaced.betas, spaced.timesteps, 1000, visits)


def test_a_solver_forgets_its_history_at_a_jump() -> None:
    seen: list[float] = []

    def call(x_t: Tensor, t: Tensor) -> Tensor:
        seen.append(float(t[0]))
        return exact_x0(CHAIN, x_t, t)

    walk = with_resampling(respace(CHAIN, 30), 5, 2)
    leaf = Leaf(DiffusionNetwork(call, CHAIN, (2,), Target("x0")))
    x = run(dpm_solver(leaf, walk, Start(Drawn(6), COUNT)))
    assert seen == [float(walk.timesteps[step]) for step in walk.visits]
    assert float((x.mean(0) - MEAN).abs().max()) < 0.05
    assert float((x.T.cov() - COVARIANCE).abs().max()) < 0.05
