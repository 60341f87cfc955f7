"""Samplers on data whose denoiser is known exactly: for N(m, S) every sampler must reach its mean and covariance."""

import pytest
import torch
from torch import Tensor

from nodes.diffusion.denoisers import DiffusionNetwork, Leaf
from nodes.diffusion.noise import SeededNoise
from nodes.diffusion.process import eps_from_x0, v_from_x0
from nodes.diffusion.respacing import respace
from nodes.diffusion.samplers import Start, ancestral, ddim, ddim_inversion, dpm_solver
from nodes.diffusion.schedule import Schedule, schedule

MEAN = torch.tensor([0.5, -0.3])
COVARIANCE = torch.tensor([[0.30, 0.12], [0.12, 0.15]])
COUNT = 3000
KINDS = ("eps", "x0", "v")


def exact_x0(chain: Schedule, x_t: Tensor, t: Tensor) -> Tensor:
    """E[x_0 | x_t] for x_0 ~ N(m, S): m + √ᾱ S (ᾱ S + (1 − ᾱ))⁻¹ (x_t − √ᾱ m)."""
    bar = float(chain.alphas_cumprod[int(t[0])])
    gain = (
        bar**0.5
        * COVARIANCE.double()
        @ torch.linalg.inv(bar * COVARIANCE.double() + (1 - bar) * torch.eye(2).double())
    )
    return (MEAN.double() + (x_t.double() - bar**0.5 * MEAN.double()) @ gain.T).float()


def denoiser(kind: str, chain: Schedule) -> Leaf:
    convert = {"x0": lambda x, t, x0: x0, "eps": lambda x, t, x0: eps_from_x0(chain, x, t, x0)}
    convert["v"] = lambda x, t, x0: v_from_x0(chain, x, t, x0)

    def call(x_t: Tensor, t: Tensor) -> Tensor:
        return convert[kind](x_t, t, exact_x0(chain, x_t, t))

    return Leaf(DiffusionNetwork(call, chain, (2,), kind))  # type: ignore[arg-type]


def run(sampling) -> Tensor:
    *_, last = sampling
    return last.x_t


def errors(samples: Tensor) -> tuple[float, float]:
    return float((samples.mean(0) - MEAN).abs().max()), float(
        (samples.T.cov() - COVARIANCE).abs().max()
    )


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
    start = Start(SeededNoise(3), COUNT)
    few, many = (
        run(SAMPLERS[name](denoiser(kind, chain), respace(chain, n), start)) for n in (10, 200)
    )
    assert max(errors(many)) < 0.03
    assert errors(many)[1] < errors(few)[1] + 0.005


def test_the_second_order_solver_is_better_in_few_steps() -> None:
    chain = schedule("linear", 1000)
    start = Start(SeededNoise(4), COUNT)
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
