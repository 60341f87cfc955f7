"""Samplers on data whose denoiser is known exactly: for N(m, S) every sampler must reach its mean and covariance."""

from dataclasses import replace

import pytest
import torch
from gaussian import COVARIANCE, MEAN, Impulses, denoiser, distance, law, law_at, run
from torch import Tensor

from nodes.diffusion.denoisers import Leaf
from nodes.diffusion.noise import SeededNoise
from nodes.diffusion.respacing import respace
from nodes.diffusion.samplers import Start, ancestral, ddim, ddim_inversion, dpm_solver
from nodes.diffusion.schedule import Schedule, schedule
from nodes.diffusion.techniques import ClassifierFreeGuidance, ClipX0, WithFixedVariance
from nodes.target import FixedVariance, Target

KINDS = ("eps", "x0", "v")
SAMPLERS = {
    "ancestral": ancestral,
    "ddim": ddim,
    "ddim_noisy": lambda d, s, start: ddim(d, s, start, eta=1.0),
    "dpm_1": lambda d, s, start: dpm_solver(d, s, start, order=1),
    "dpm_2": lambda d, s, start: dpm_solver(d, s, start, order=2),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_reaches_the_data(name: str, kind: str) -> None:
    chain = schedule("cosine", 1000)
    few, many = (distance(sampled(name, kind, chain, n), law_at(chain, -1)) for n in (10, 200))
    assert many < 0.015
    assert many < few / 5


def sampled(name: str, kind: str, chain: Schedule, steps: int) -> tuple[Tensor, Tensor]:
    """The law of a sampler's results."""
    noise = Impulses(1 + steps)
    start = Start(noise, noise.rows)
    return law(run(SAMPLERS[name](denoiser(kind, chain), respace(chain, steps), start)))


def test_the_second_order_solver_is_better_in_few_steps() -> None:
    chain = schedule("linear", 1000)
    start = Start(SeededNoise(4), 50)
    exact = run(ddim(denoiser("eps", chain), chain, start))
    first, second = (
        run(dpm_solver(denoiser("eps", chain), respace(chain, 12), start, n)) for n in (1, 2)
    )
    assert (second - exact).abs().mean() < 0.8 * (first - exact).abs().mean()


def test_inversion_leads_back() -> None:
    chain = schedule("cosine", 1000)
    x0 = (
        MEAN
        + torch.randn(64, 2, generator=torch.Generator().manual_seed(0))
        @ torch.linalg.cholesky(COVARIANCE).T
    )
    spaced = respace(chain, 250)
    noise = run(ddim_inversion(denoiser("eps", chain), spaced, x0))
    again = run(ddim(denoiser("eps", chain), spaced, Start(SeededNoise(0), x_t=noise)))
    assert (again - x0).abs().max() < 0.05


@pytest.mark.parametrize("kind", ["fixed_small", "fixed_large"])
def test_a_fixed_variance_takes_the_place_of_a_learned_one(kind: FixedVariance) -> None:
    """A network that learned some variance samples under it as one that learned none, inside other techniques too."""
    chain = schedule("cosine", 1000)
    spaced, noise = respace(chain, 20), Impulses(21)
    plain = denoiser("eps", chain, fixed_variance=kind)

    def call(x_t: Tensor, t: Tensor) -> Tensor:
        return torch.cat([plain.network.call(x_t, t), torch.full_like(x_t, 0.3)], 1)

    own = Leaf(replace(plain.network, call=call, target=Target("eps", True)))
    wrapped = ClipX0(WithFixedVariance(own, kind), -1e6, 1e6)
    learned, fixed, wanted = (
        run(ancestral(d, spaced, Start(noise, noise.rows))) for d in (own, wrapped, plain)
    )
    assert torch.equal(fixed, wanted)
    assert not torch.allclose(learned, wanted, atol=1e-3)
    both = ClassifierFreeGuidance(wrapped, wrapped, 2.0)
    assert both.target.fixed_variance == kind
