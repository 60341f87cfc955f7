"""How fast samplers reach N(m, S) as steps get finer, and where they are exact however few the steps are."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from gaussian import (
    COVARIANCE,
    MEAN,
    Impulses,
    denoiser,
    distance,
    even_chain,
    exact_x0,
    from_x_t,
    law,
    law_at,
    log_likelihood,
    posterior,
    run,
)
from torch import Tensor

from nodes.diffusion.denoisers import DiffusionNetwork, Leaf, Prediction
from nodes.diffusion.noise import SeededNoise
from nodes.diffusion.process import renoised
from nodes.diffusion.respacing import respace, trained_chain, with_resampling
from nodes.diffusion.samplers import (
    Sampling,
    Start,
    ancestral,
    ddim,
    ddim_inversion,
    dpm_solver,
    invert_step,
)
from nodes.diffusion.schedule import Schedule, schedule
from nodes.diffusion.score_guidance import ScoreGuidance
from nodes.target import Target

STEPS = (16, 32, 64, 128)
DETERMINISTIC = {
    "ddim": (ddim, 1),
    "dpm_1": (lambda d, s, start: dpm_solver(d, s, start, order=1), 1),
    "dpm_2": (dpm_solver, 2),
}
NOISY = {
    "ancestral": ancestral,
    "ddim_half": lambda d, s, start: ddim(d, s, start, eta=0.5),
    "ddim_noisy": lambda d, s, start: ddim(d, s, start, eta=1.0),
}


def slope(error: Callable[[int], float]) -> float:
    """The order of convergence: how the logarithm of an error falls with that of the number of steps."""
    x = torch.tensor([math.log(n) for n in STEPS])
    y = torch.tensor([math.log(error(n)) for n in STEPS])
    x, y = x - x.mean(), y - y.mean()
    return -float((x * y).sum() / x.square().sum())


def flow(chain: Schedule, x_t: Tensor, level: int, to: int) -> Tensor:
    """The probability-flow ODE from one level of the chain to another, solved exactly along the principal axes of S."""
    values, axes = torch.linalg.eigh(COVARIANCE.double())
    (centre, spread), (goal, width) = (
        (mean @ axes, (axes.T @ covariance @ axes).diagonal().sqrt())
        for mean, covariance in (law_at(chain, level), law_at(chain, to))
    )
    assert len(values) == 2
    return ((x_t.double() @ axes - centre) / spread * width + goal) @ axes.T


@pytest.mark.parametrize("uneven", [False, True])
@pytest.mark.parametrize("name", DETERMINISTIC)
def test_the_order_of_a_solver(name: str, uneven: bool) -> None:
    """Two steps before the end, where the solver of second order has not yet gone back to the first."""
    sampler, order = DETERMINISTIC[name]

    def error(steps: int) -> float:
        chain = even_chain(steps, uneven)
        x_t = SeededNoise(1).draw(range(8), 0, (2,))
        *_, before, _, _ = sampler(denoiser("eps", chain), chain, Start(SeededNoise(0), x_t=x_t))
        return float((before.x_t - flow(chain, x_t, steps - 1, 1)).abs().max())

    assert slope(error) == pytest.approx(order, abs=0.2)


def test_the_order_of_an_inversion() -> None:
    def error(steps: int) -> float:
        chain = even_chain(steps)
        x_t = SeededNoise(1).draw(range(8), 0, (2,))
        leaf = denoiser("eps", chain)
        found = x_t
        for step in range(steps - 1):
            t = torch.full((8,), step)
            found = invert_step(chain, found, t, leaf(found, t))
        return float((found - flow(chain, x_t, 0, steps - 1)).abs().max())

    assert slope(error) == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("uneven", [False, True])
@pytest.mark.parametrize("name", NOISY)
def test_the_order_of_a_noisy_sampler(name: str, uneven: bool) -> None:
    """Of the law of its results, which is that of x_t when it began with it."""

    def error(steps: int) -> float:
        chain = even_chain(steps, uneven)
        start = from_x_t(chain, steps, MEAN, COVARIANCE)
        *_, before, _ = NOISY[name](denoiser("eps", chain), chain, start)
        return distance(law(before.x_t), law_at(chain, 0))

    assert slope(error) == pytest.approx(1, abs=0.2)


def exact_fraction(chain: Schedule, spaced: Schedule, variances: Tensor) -> Leaf:
    """The perfect network of N(m, diag(v)) with a learned variance, and the chain that samplers visit.

    p(x_{t−1} | x_t) is a normal distribution, of variance β̃ + (weight of x_0)² Var(x_0 | x_t).
    """

    def call(x_t: Tensor, t: Tensor) -> Tensor:
        step = int((spaced.timesteps == t[0]).nonzero())
        bar = spaced.alphas_cumprod[step]
        left = (1 - bar) * variances.double() / (bar * variances.double() + 1 - bar)
        variance = spaced.posterior_variance[step] + spaced.posterior_mean_coef1[step] ** 2 * left
        low = spaced.posterior_log_variance_clipped[step]
        share = (variance.log() - low) / (spaced.betas[step].log() - low)
        x0 = exact_x0(chain, x_t, t, MEAN, torch.diag(variances))
        return torch.cat([x0, (2 * share - 1).float().expand(len(x_t), -1)], 1)

    return Leaf(DiffusionNetwork(call, chain, (2,), Target("x0", True)))


def laws(sampling: Sampling) -> list[tuple[Tensor, Tensor]]:
    return [law(now.x_t) for now in sampling]


CHAIN = schedule("cosine", 1000)


@pytest.mark.parametrize("spaced", [respace(CHAIN, 2), respace(CHAIN, 30), even_chain(5)])
def test_a_learned_variance_makes_ancestral_sampling_exact(spaced: Schedule) -> None:
    """Also over jumps up, of which some begin at level 0."""
    variances, steps = torch.tensor([0.3, 0.9]), len(spaced)
    walk = with_resampling(spaced, 1, 2)
    start = from_x_t(spaced, 2 * len(walk.visits), MEAN, torch.diag(variances))
    sampling = ancestral(exact_fraction(trained_chain(spaced), spaced, variances), walk, start)
    assert walk.jumps == steps - 1 and 1 in walk.visits
    for step, found in zip(walk.visits, laws(sampling), strict=True):
        if step:
            assert distance(found, law_at(spaced, step - 1, MEAN, torch.diag(variances))) < 1e-4


@pytest.mark.parametrize("steps", [2, 5, 30])
def test_of_one_point_nothing_is_left_to_say(steps: int) -> None:
    """Where the data are one point x_0 is known, and every sampler is exact at every level."""
    point, nothing = torch.tensor([0.4, -0.9]), torch.zeros(2, 2)
    spaced = respace(CHAIN, steps)
    start = from_x_t(spaced, steps, point, nothing)
    samplers = {**NOISY, **{name: sampler for name, (sampler, _) in DETERMINISTIC.items()}}
    for name, sampler in samplers.items():
        found = laws(sampler(denoiser("x0", CHAIN, point, nothing), spaced, start))
        for level, here in zip(range(steps - 2, -2, -1), found, strict=True):
            assert distance(here, law_at(spaced, level, point, nothing)) < 1e-4, (name, level)


@pytest.mark.parametrize("steps", [2, 5, 30])
def test_standard_normal_data_stay_standard_normal(steps: int) -> None:
    """Of them p(x_{t−1} | x_t) has the variance β_t, which `fixed_large` is."""
    centre, spread = torch.zeros(2), torch.eye(2)
    spaced, noise = respace(CHAIN, steps), Impulses(1 + steps)
    leaf = denoiser("x0", CHAIN, centre, spread, fixed_variance="fixed_large")
    *found, _ = laws(ancestral(leaf, spaced, Start(noise, noise.rows)))
    assert max(distance(here, (centre.double(), spread.double())) for here in found) < 1e-4


@pytest.mark.parametrize("steps", [2, 7])
def test_samplers_that_are_one(steps: int) -> None:
    """DDIM as noisy as can be is ancestral sampling; without noise it is the solver of first order."""
    chain = schedule("linear", 1000)
    leaf, spaced = denoiser("eps", chain), respace(chain, steps)
    start = Start(SeededNoise(2), 5)
    for one, other in (
        (ancestral(leaf, spaced, start), ddim(leaf, spaced, start, eta=1.0)),
        (ddim(leaf, spaced, start), dpm_solver(leaf, spaced, start, order=1)),
    ):
        torch.testing.assert_close(run(one), run(other), atol=1e-4, rtol=1e-4)


def test_the_second_order_begins_and_ends_with_the_first() -> None:
    """A first step has no history; in the last two the log-SNR leaps."""
    for steps, same in ((3, True), (4, False)):
        leaf, spaced = denoiser("eps", CHAIN), respace(CHAIN, steps)
        first, second = (
            run(dpm_solver(leaf, spaced, Start(SeededNoise(2), 5), order)) for order in (1, 2)
        )
        assert torch.allclose(first, second, atol=1e-6) == same


def test_a_solver_on_a_walk_with_jumps() -> None:
    """Against the formulas in plain float64: after a jump a step is of first order, the next of second order again."""
    chain, visits = even_chain(9), (8, 7, 6, 7, 6, 5, 5, 4, 3, 2, 1, 0)
    walk, leaf = replace(chain, visits=visits), denoiser("x0", chain)
    start = Start(SeededNoise(3), 4)
    x_t = start.first(leaf).double()
    rate = torch.logit(chain.alphas_cumprod) / 2
    level, known, second = 8, dict[int, Tensor](), 0
    for number, step in enumerate(visits):
        if step > level:
            noise = start.draw(len(visits) + number, x_t.float())
            x_t = renoised(chain, x_t, level, step, noise.double())
            known = {}
        x0 = leaf(x_t.float(), torch.full((4,), step)).x0.double()
        guess = x0
        if step + 1 in known and step > 1:
            r = (rate[step] - rate[step + 1]) / (rate[step - 1] - rate[step])
            guess = x0 + (x0 - known[step + 1]) / (2 * r)
            second += 1
        known, level = {step: x0}, step - 1
        if step:
            bar, to = chain.alphas_cumprod[step], chain.alphas_cumprod[step - 1]
            h = rate[step - 1] - rate[step]
            x_t = ((1 - to) / (1 - bar)).sqrt() * x_t - to.sqrt() * torch.expm1(-h) * guess
        else:
            x_t = x0
    assert second == 7
    torch.testing.assert_close(run(dpm_solver(leaf, walk, start)).double(), x_t, atol=1e-5, rtol=0)


def guided(chain: Schedule) -> ScoreGuidance:
    return ScoreGuidance(denoiser("eps", chain), log_likelihood(chain), 1.0)


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_a_folded_score_is_the_posteriors_own_prediction(name: str) -> None:
    """With few steps too: x_0 + (1 − ᾱ)/√ᾱ · score = E[x_0 | x_t, y]."""
    chain = even_chain(6)
    told, (mean, covariance) = guided(chain), posterior()
    sampler, _ = DETERMINISTIC[name]
    start = Start(SeededNoise(4), 5)
    one, other = (
        run(sampler(d, chain, start)) for d in (told, denoiser("eps", chain, mean, covariance))
    )
    torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_an_inversion_folds_the_score_too() -> None:
    chain = even_chain(6)
    told, (mean, covariance) = guided(chain), posterior()
    x0 = SeededNoise(4).draw(range(5), 0, (2,))
    one, other = (
        run(ddim_inversion(d, chain, x0)) for d in (told, denoiser("eps", chain, mean, covariance))
    )
    torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_the_order_of_a_shifted_mean() -> None:
    """Ancestral sampling with a score, Σ · score being a step of the SDE that the score guides."""

    def error(steps: int) -> float:
        chain = even_chain(steps)
        told, (mean, covariance) = guided(chain), posterior()
        *_, before, _ = ancestral(told, chain, from_x_t(chain, steps, mean, covariance))
        return distance(law(before.x_t), law_at(chain, 0, mean, covariance))

    assert slope(error) == pytest.approx(1, abs=0.2)


def test_a_score_enters_by_the_variance_of_the_step() -> None:
    leaf = denoiser("eps", CHAIN)
    spaced, x_t = respace(CHAIN, 5), torch.zeros(1, 2)

    class Pulled(ScoreGuidance):
        def change(self, inner: Prediction, x_t: Tensor, t: Tensor) -> Prediction:
            return replace(inner, score=torch.ones_like(x_t))

    plain, pulled = (
        next(ancestral(d, spaced, Start(Impulses(1), x_t=x_t))).x_t
        for d in (leaf, Pulled(leaf, lambda x, t: x.sum(1), 1.0))
    )
    wanted = spaced.posterior_variance[-1].float().expand(1, 2)
    torch.testing.assert_close(pulled - plain, wanted)


@pytest.mark.parametrize("level", [-1, 0, 1, 3])
def test_noise_is_added_by_the_forward_process(level: int) -> None:
    """From any level below, the clean sample (−1) and level 0 among them, the law is that of the step."""
    chain = even_chain(12)
    centre, spread = law_at(chain, level)
    rows = centre.repeat(Impulses(2).rows, 1)
    rows[1:3] += torch.linalg.cholesky(spread).T
    noise = torch.zeros_like(rows)
    noise[3:5] = torch.eye(2).double()
    assert distance(law(renoised(chain, rows, level, 4, noise)), law_at(chain, 4)) < 1e-6
