"""Any stack of techniques: it samples, costs one network call a step, and a neutral technique in it changes nothing."""

import ast
import inspect

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nodegraph import Mismatch
from nodes.diffusion import score_guidance as guidance
from nodes.diffusion import techniques
from nodes.diffusion.denoisers import Denoiser, DiffusionNetwork, Leaf
from nodes.diffusion.noise import SeededNoise
from nodes.diffusion.respacing import respace, with_resampling
from nodes.diffusion.samplers import Start, ancestral, ddim, dpm_solver
from nodes.diffusion.schedule import schedule
from nodes.diffusion.score_guidance import ScoreGuidance
from nodes.library.denoising import clip_x0, dynamic_threshold
from nodes.library.guidance import classifier_free_guidance, guidance_interval, guidance_rescale
from nodes.library.masks import mask_inpainter
from nodes.target import Target

CHAIN = schedule("cosine", 100)
SHAPE = (3, 4, 4)
PICTURE = torch.rand(1, 3, 8, 6, generator=torch.Generator().manual_seed(0)) * 2 - 1
MASK = torch.zeros(1, 1, 8, 6)
MASK[..., :3] = 1
WIDE = 1e9


class Network:
    """A network with a learned variance that counts its calls; a condition shifts its output."""

    def __init__(self) -> None:
        self.calls = 0
        self.network = DiffusionNetwork(self, CHAIN, SHAPE, Target("eps", True))
        self.free, self.other = self.under(0.0), self.under(-0.4)

    def __call__(self, x_t: Tensor, t: Tensor, shift: Tensor) -> Tensor:
        self.calls += 1
        eps = 0.9 * x_t + shift
        return torch.cat([eps, (0.1 * x_t).tanh()], 1)

    def under(self, shift: float) -> Leaf:
        return Leaf(self.network, {"shift": torch.full((1, 1, 1, 1), shift)})


def log_probability(x_t: Tensor, t: Tensor) -> Tensor:
    return -(x_t - 0.3).square().flatten(1).sum(1) + x_t.flatten(1).sin().sum(1)


TECHNIQUES = {
    "classifier-free": lambda d, n: classifier_free_guidance(d, n.free, 2.5),
    "away": lambda d, n: classifier_free_guidance(n.free, d, 1.5),
    "rescale": lambda d, n: guidance_rescale(d, n.other, 0.7),
    "interval": lambda d, n: guidance_interval(d, n.other, 20, 60),
    "guide": lambda d, n: ScoreGuidance(d, log_probability, 0.5),
    "mask": lambda d, n: mask_inpainter(d, PICTURE, MASK),
    "soft mask": lambda d, n: mask_inpainter(d, PICTURE, MASK / 2),
    "clip": lambda d, n: clip_x0(d),
    "threshold": lambda d, n: dynamic_threshold(d, 0.9),
}
NEUTRAL = {
    "classifier-free": lambda d, n: classifier_free_guidance(d, n.free, 1.0),
    "rescale": lambda d, n: guidance_rescale(d, n.other, 0.0),
    "interval": lambda d, n: guidance_interval(d, n.other, 0, 99),
    "guide": lambda d, n: ScoreGuidance(d, log_probability, 0.0),
    "mask": lambda d, n: mask_inpainter(d, PICTURE, torch.zeros_like(MASK)),
    "clip": lambda d, n: clip_x0(d, -WIDE, WIDE),
    "threshold": lambda d, n: techniques.DynamicThreshold(clip_x0(d, -1, 1), 1.0),
}
SAMPLERS = {"ancestral": ancestral, "ddim": ddim, "dpm": dpm_solver}
Stacks = st.lists(st.sampled_from(sorted(TECHNIQUES)), max_size=6)
PLAIN_ONLY = {"classifier-free", "away", "rescale", "threshold"}


def stacked(network: Network, names: list[str]) -> Denoiser:
    """The techniques around a conditional branch, but those that refuse their place."""
    denoiser: Denoiser = network.under(0.6)
    for name in names:
        try:
            denoiser = TECHNIQUES[name](denoiser, network)
        except Mismatch:
            assert denoiser.settled and name in PLAIN_ONLY
    return denoiser


def sampled(denoiser: Denoiser, sampler: str, steps: int = 6) -> Tensor:
    *_, last = SAMPLERS[sampler](clip_x0(denoiser), respace(CHAIN, steps), Start(SeededNoise(3), 2))
    return last.x_t


@settings(deadline=None, max_examples=60)
@given(Stacks, st.sampled_from(sorted(SAMPLERS)))
def test_every_stack_samples_with_one_call_a_step(names: list[str], sampler: str) -> None:
    network = Network()
    image = sampled(stacked(network, names), sampler)
    assert image.shape == (2, *SHAPE)
    assert bool(image.isfinite().all())
    assert network.calls == 6


@settings(deadline=None, max_examples=60)
@given(Stacks, Stacks, st.sampled_from(sorted(NEUTRAL)), st.sampled_from(["ancestral", "ddim"]))
def test_a_neutral_technique_anywhere_changes_nothing(
    inside: list[str], around: list[str], name: str, sampler: str
) -> None:
    network = Network()
    inner = stacked(network, inside)
    if name == "threshold":
        inner = clip_x0(inner)
    try:
        changed = NEUTRAL[name](inner, network)
    except Mismatch:
        assert inner.settled
        return
    for outer in around:
        if not (outer in PLAIN_ONLY and changed.settled) and not (
            outer == "guide" and "pixels" in changed.settled
        ):
            inner, changed = (TECHNIQUES[outer](d, network) for d in (inner, changed))
    torch.testing.assert_close(
        sampled(changed, sampler), sampled(inner, sampler), atol=2e-4, rtol=1e-4
    )


def test_walks_with_jumps_cost_one_call_a_visit() -> None:
    network = Network()
    guided = classifier_free_guidance(network.under(0.6), network.free, 3.0)
    denoiser = clip_x0(mask_inpainter(ScoreGuidance(guided, log_probability, 0.5), PICTURE, MASK))
    walk = with_resampling(respace(CHAIN, 12), 3, 3)
    *_, last = ancestral(denoiser, walk, Start(SeededNoise(0), 2))
    assert network.calls == len(walk.visits) == last.total


@pytest.mark.parametrize(("scale", "rows"), [(1.0, 2), (1.5, 4)])
def test_without_guidance_the_unconditional_branch_costs_nothing(scale: float, rows: int) -> None:
    seen: list[int] = []

    class Watched(Network):
        def __call__(self, x_t: Tensor, t: Tensor, shift: Tensor) -> Tensor:
            seen.append(len(x_t))
            return super().__call__(x_t, t, shift)

    network = Watched()
    sampled(classifier_free_guidance(network.under(0.6), network.free, scale), "ddim")
    assert seen == [rows] * 6


def test_a_denoiser_that_is_used_twice_is_combined_once() -> None:
    asked: list[int] = []

    def counted(x_t: Tensor, t: Tensor) -> Tensor:
        asked.append(1)
        return log_probability(x_t, t)

    network = Network()
    cond = ScoreGuidance(network.under(0.6), counted, 0.5)
    guided = classifier_free_guidance(cond, network.free, 3.0)
    sampled(guidance_rescale(guided, cond), "ddim")
    assert (len(asked), network.calls) == (6, 6)


@pytest.mark.parametrize("module", [techniques, guidance])
def test_no_technique_names_another(module) -> None:
    classes = {
        c.name: c for c in ast.parse(inspect.getsource(module)).body if isinstance(c, ast.ClassDef)
    }
    names = {
        c.__name__
        for m in (techniques, guidance)
        for c in vars(m).values()
        if inspect.isclass(c) and issubclass(c, Denoiser) and not inspect.isabstract(c)
    } - {"Leaf"}
    assert {"ClassifierFreeGuidance", "MaskInpainter", "ScoreGuidance"} <= names
    for name, body in classes.items():
        told = {n.id for n in ast.walk(body) if isinstance(n, ast.Name)}
        assert not (told & names) - {name}, name
