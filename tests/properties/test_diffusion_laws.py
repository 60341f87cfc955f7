"""Laws of the diffusion core: conversions, respacing, noise, and the algebra of denoisers."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nodes.diffusion import process
from nodes.diffusion.denoisers import DiffusionNetwork, Leaf, Prediction, evaluate
from nodes.diffusion.losses import min_snr_weight
from nodes.diffusion.noise import SeededNoise
from nodes.diffusion.respacing import respace
from nodes.diffusion.samplers import Start, ancestral, ddim_step, reverse_step
from nodes.diffusion.schedule import KINDS, schedule
from nodes.diffusion.techniques import (
    ClassifierFreeGuidance,
    ClipX0,
    DynamicThreshold,
    GuidanceInterval,
    MaskInpainter,
)
from nodes.diffusion.timesteps import LossSecondMoment, stratified
from nodes.target import Target

CHAIN = schedule("cosine", 100)


@settings(deadline=None)
@given(st.integers(0, 98), st.integers(0, 2**31))
def test_conversions_round_trip(step: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    x0, noise = torch.randn(2, 1, 5, generator=generator)
    t = torch.tensor([step])
    x_t = process.q_sample(CHAIN, x0, t, noise)
    for given_kind, value in (
        ("eps", noise),
        ("v", process.v_target(CHAIN, x0, t, noise)),
        ("x0", x0),
    ):
        torch.testing.assert_close(
            process.predicted_x0(CHAIN, given_kind, x_t, t, value), x0, atol=2e-3, rtol=2e-3
        )
    torch.testing.assert_close(process.eps_from_x0(CHAIN, x_t, t, x0), noise, atol=2e-2, rtol=2e-2)
    torch.testing.assert_close(
        process.v_from_x0(CHAIN, x_t, t, x0),
        process.v_target(CHAIN, x0, t, noise),
        atol=2e-2,
        rtol=2e-2,
    )


@given(st.sampled_from(KINDS), st.integers(2, 200))
def test_respacing_keeps_the_noise_levels(kind, count: int) -> None:
    if kind == "jsd":
        return  # its last β is 1: nothing of the signal is left to keep
    trained = schedule(kind, 200)
    spaced = respace(trained, count)
    assert len(spaced) == count
    torch.testing.assert_close(
        spaced.alphas_cumprod, trained.alphas_cumprod[spaced.timesteps], rtol=1e-9, atol=1e-12
    )
    assert bool((spaced.timesteps.diff() > 0).all())


@given(
    st.integers(0, 2**63), st.lists(st.integers(0, 50), min_size=1, max_size=8), st.integers(0, 5)
)
def test_noise_belongs_to_the_sample(seed: int, samples: list[int], number: int) -> None:
    source = SeededNoise(seed)
    together = source.draw(samples, number, (3, 2))
    alone = torch.cat([source.draw([sample], number, (3, 2)) for sample in samples])
    assert torch.equal(together, alone)


def test_noise_is_the_same_in_another_process() -> None:
    code = "from nodes.diffusion.noise import SeededNoise as N; print(N(7, 'prior').draw([3], 2, (4,)).tolist())"
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert printed.strip() == str(SeededNoise(7, "prior").draw([3], 2, (4,)).tolist())


def test_streams_and_draws_differ() -> None:
    first = SeededNoise(1).draw([0], 0, (64,))
    for other in (
        SeededNoise(2).draw([0], 0, (64,)),
        SeededNoise(1, "prior").draw([0], 0, (64,)),
        SeededNoise(1).draw([0], 1, (64,)),
    ):
        assert (first - other).abs().max() > 0.1
    many = SeededNoise(5).draw(range(200), 0, (100,))
    assert abs(float(many.mean())) < 0.02
    assert abs(float(many.std()) - 1) < 0.02


class Counted:
    """A linear network that counts its calls; a condition shifts its output."""

    def __init__(self) -> None:
        self.calls = 0
        self.network = DiffusionNetwork(self, CHAIN, (1, 4, 4), Target("x0"))

    def __call__(self, x_t: Tensor, t: Tensor, shift: Tensor) -> Tensor:
        self.calls += 1
        return 0.3 * x_t + shift

    def under(self, *shifts: float) -> Leaf:
        return Leaf(self.network, {"shift": torch.tensor(shifts).reshape(-1, 1, 1, 1)})


X = torch.randn(2, 1, 4, 4, generator=torch.Generator().manual_seed(1))
T = torch.tensor([50, 50])


def test_guidance_costs_one_call_however_deep_it_nests() -> None:
    counted = Counted()
    cond, uncond, negative = counted.under(0.5), counted.under(0.0), counted.under(-0.5)
    inner = ClassifierFreeGuidance(ClipX0(cond), uncond, 2.0)
    outer = ClassifierFreeGuidance(
        DynamicThreshold(inner), ClassifierFreeGuidance(negative, uncond, 1.5), 3.0
    )
    *_, _ = ancestral(ClipX0(outer), respace(CHAIN, 7), Start(SeededNoise(0), 2))
    assert counted.calls == 7


def test_grouped_calls_give_what_single_calls_give() -> None:
    counted = Counted()
    cond, uncond = counted.under(0.5, 0.1), counted.under(0.0)
    both = evaluate([cond, uncond], X, T)
    assert torch.equal(both[0].x0, cond(X, T).x0)
    assert torch.equal(both[1].x0, uncond(X, T).x0)


@given(st.floats(-1, 1), st.floats(-1, 1))
def test_neutral_settings_change_nothing(a: float, b: float) -> None:
    counted = Counted()
    cond, uncond = counted.under(a), counted.under(b)
    plain = cond(X, T).x0
    unknown = torch.zeros(1, 1, 4, 4)
    wide = 1e6
    for neutral in (
        ClassifierFreeGuidance(cond, uncond, 1.0),
        ClipX0(cond, -wide, wide),
        MaskInpainter(cond, torch.ones(1, 1, 4, 4), unknown),
        GuidanceInterval(cond, uncond, 0, 99),
    ):
        torch.testing.assert_close(neutral(X, T).x0, plain, atol=1e-6, rtol=1e-6)
    assert torch.equal(GuidanceInterval(cond, uncond, 90, 99)(X, T).x0, uncond(X, T).x0)


def test_known_pixels_are_imposed_and_not_guided() -> None:
    counted = Counted()
    known = torch.full((1, 1, 4, 4), 0.7)
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., :2] = 1
    masked = MaskInpainter(counted.under(0.1), known, mask)
    assert torch.equal(masked(X, T).x0[..., :2], known.expand(2, -1, -1, -1)[..., :2])
    guided = masked.change(Prediction(X, None, torch.ones_like(X)), X, T)
    assert guided.score is not None
    assert float(guided.score[..., :2].abs().max()) == 0
    assert float(guided.score[..., 2:].min()) == 1


def test_pictures_do_not_depend_on_the_batch() -> None:
    counted = Counted()
    denoiser = ClipX0(counted.under(0.2))
    *_, whole = ancestral(denoiser, respace(CHAIN, 9), Start(SeededNoise(8), 5))
    *_, part = ancestral(denoiser, respace(CHAIN, 9), Start(SeededNoise(8), 2))
    torch.testing.assert_close(whole.x_t[:2], part.x_t)


@pytest.mark.parametrize("count", [1, 2, 3, 10])
@pytest.mark.parametrize("kind", KINDS)
def test_ddim_is_finite_however_few_the_steps(kind, count: int) -> None:
    if kind == "jsd":
        return  # its last β is 1: nothing of the signal is left to keep
    chain = respace(schedule(kind, 100), count)
    t = torch.arange(count)
    x_t, noise = torch.ones(2, count, 1, 2, 2)
    for eta in (0.0, 0.5, 1.0):
        moved = ddim_step(chain, x_t, t, Prediction(torch.zeros_like(x_t)), noise, eta)
        assert bool(moved.isfinite().all())


def test_no_guide_pulls_at_a_last_step_without_variance() -> None:
    x_t = torch.zeros(2, 1, 1, 1)
    guided = Prediction(x_t, None, torch.ones_like(x_t))
    mean, _ = reverse_step(CHAIN, x_t, torch.tensor([0, 50]), guided, "fixed_small")
    assert float(mean[0]) == 0
    torch.testing.assert_close(float(mean[1]), float(CHAIN.posterior_variance[50]))


def test_samples_cannot_be_shared_out_unevenly() -> None:
    with pytest.raises(ValueError, match="cannot be shared out"):
        Counted().under(0.1, 0.2)(torch.zeros(3, 1, 4, 4), torch.zeros(3, dtype=torch.int64))


def test_a_sampler_refuses_another_chain() -> None:
    with pytest.raises(ValueError, match="cut from a linear chain"):
        next(ancestral(Counted().under(0.1), schedule("linear", 100), Start(SeededNoise(0))))


@given(st.integers(1, 64), st.integers(0, 2**31))
def test_stratified_timesteps_cover_the_chain(size: int, seed: int) -> None:
    found = np.sort(stratified(np.random.default_rng(seed), size, 1000))
    edges = np.arange(size + 1) * 1000 / size
    assert ((found >= np.floor(edges[:-1])) & (found <= edges[1:])).all()


def test_importance_sampling_is_unbiased() -> None:
    sampler = LossSecondMoment(4, history=2)
    for t, loss in enumerate((1.0, 2.0, 4.0, 8.0)):
        sampler.update([t, t], [loss, loss])
    chosen, weights = sampler.sample(np.random.default_rng(0), 20_000)
    losses = np.array([1.0, 2.0, 4.0, 8.0])[chosen]
    assert abs((losses * weights).mean() - 3.75) < 0.05
    assert np.bincount(chosen)[3] > 3 * np.bincount(chosen)[0]


def test_min_snr_weights() -> None:
    t = torch.tensor([0, 50, 98])
    for kind in ("eps", "x0", "v"):
        weight = min_snr_weight(CHAIN, kind, t)
        assert bool((weight > 0).all())
    assert float(min_snr_weight(CHAIN, "v", torch.tensor([98]))) == pytest.approx(1.0, abs=0.01)
