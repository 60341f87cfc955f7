"""Deep features that are kept over steps are those of the last whole call, of each branch its own, in each run anew."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny import Models, drawn
from torch import Tensor

from nodegraph import Mismatch
from nodes.diffusion.denoisers import Denoiser, Leaf, evaluator
from nodes.library.denoising import clip_x0, feature_reuse, point_denoiser, unet_denoiser
from nodes.library.guidance import classifier_free_guidance, guidance_interval
from nodes.library.sampling import ancestral_sampler, ddim_sampler, dpm_solver_sampler
from nodes.library.schedules import noise_scheduler
from nodes.library.text import text_encoder
from nodes.library.training.networks import point_network
from nodes.models.unet import UNet

SAMPLERS = [ancestral_sampler, ddim_sampler, dpm_solver_sampler]


@pytest.fixture
def base(models: Models) -> UNet:
    return models(UNet, "glide/base")


def branch(base: UNet, *texts: str) -> Denoiser[Any]:
    return unet_denoiser(base, [text_encoder(base, list(texts))])


def guided(base: UNet) -> Denoiser[Any]:
    cond, uncond = branch(base, "a red circle", "a blue star"), branch(base, "")
    return clip_x0(classifier_free_guidance(cond, uncond, 3.0))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_whole_call_at_each_step_is_the_plain_network(
    base: UNet, sampler: Callable[..., Any]
) -> None:
    schedule, plain = noise_scheduler(base, steps=6), guided(base)
    kept = feature_reuse(plain, every=1, outer=2)
    assert torch.equal(
        drawn(sampler(kept, schedule, seed=3, count=2)),
        drawn(sampler(plain, schedule, seed=3, count=2)),
    )


@pytest.mark.parametrize("outer", [1, 2, 3])
@pytest.mark.parametrize("name", ["glide/base", "unclip/decoder", "adm/unconditional"])
def test_with_its_own_features_a_call_gives_what_the_whole_one_does(
    models: Models, name: str, outer: int
) -> None:
    module = models(UNet, name).module()
    config = module.config
    x_t, t = torch.randn(2, 3, config.image_size, config.image_size), torch.tensor([900, 100])
    told = {} if config.text is None else {"tokens": torch.randn(2, 5, 16)}
    whole, deep = module.keeping(x_t, t, **told, outer=outer)
    again, same = module.keeping(x_t, t, **told, outer=outer, deep=deep)
    assert torch.equal(whole, module(x_t, t, **told))
    assert torch.equal(whole, again)
    assert same is deep


def test_between_whole_calls_the_features_are_those_of_the_last(base: UNet) -> None:
    """Against a direct computation: seven steps, of which the first and the fourth, and the seventh, are whole."""
    leaf = branch(base, "a red circle", "a blue star")
    assert isinstance(leaf, Leaf)
    predict = evaluator([feature_reuse(leaf, every=3, outer=2)], 2)
    module, conditions, deep = base.module(), leaf.prepared(2), None
    for number in range(7):
        x_t, t = torch.randn(2, 3, 16, 16), torch.full((2,), 900 - 100 * number)
        if number % 3 == 0:
            deep = module.keeping(x_t, t, **conditions, outer=2)[1]
        raw, _ = module.keeping(x_t, t, **conditions, outer=2, deep=deep)
        fresh = module(x_t, t, **conditions)
        [found] = predict(x_t, t)
        assert found.variance is not None
        assert torch.equal(found.variance, raw.chunk(2, 1)[1])
        assert torch.equal(raw, fresh) == (number % 3 == 0)


def test_each_branch_keeps_its_own(base: UNet) -> None:
    """Guidance of both branches in one call is that of two, each reused alone."""
    cond, uncond = branch(base, "a red circle", "a blue star"), branch(base, "")
    apart = [feature_reuse(leaf, every=3, outer=2) for leaf in (cond, uncond)]
    whole = feature_reuse(classifier_free_guidance(cond, uncond, 3.0), every=3, outer=2)
    predict, alone = evaluator([whole], 2), [evaluator([one], 2) for one in apart]
    for number in range(5):
        x_t, t = torch.randn(2, 3, 16, 16), torch.full((2,), 900 - 100 * number)
        [found] = predict(x_t, t)
        c, u = (one(x_t, t)[0].x0 for one in alone)
        torch.testing.assert_close(found.x0, u + 3 * (c - u), atol=1e-3, rtol=1e-3)


def test_rows_keep_their_own(base: UNet) -> None:
    schedule = noise_scheduler(base, steps=7)
    both = drawn(ddim_sampler(feature_reuse(guided(base), 3), schedule, seed=[5, 6]))
    for row, text in enumerate(["a red circle", "a blue star"]):
        one = classifier_free_guidance(branch(base, text), branch(base, ""), 3.0)
        alone = drawn(ddim_sampler(feature_reuse(clip_x0(one), 3), schedule, seed=5 + row))
        torch.testing.assert_close(both[row], alone[0], atol=1e-4, rtol=1e-4)


def test_runs_share_nothing(base: UNet) -> None:
    """A denoiser that has drawn, or is drawing another picture, draws what a new one does."""
    schedule, denoiser = noise_scheduler(base, steps=5), feature_reuse(guided(base), 3)
    expected = drawn(ddim_sampler(feature_reuse(guided(base), 3), schedule, seed=1))
    first, second = (ddim_sampler(denoiser, schedule, seed=seed) for seed in (7, 1))
    next(first)
    next(second)
    next(first)
    assert torch.equal(drawn(second), expected)
    assert torch.equal(drawn(ddim_sampler(denoiser, schedule, seed=1)), expected)


def test_a_step_is_whole_where_other_branches_are_asked(base: UNet) -> None:
    """In and out of an interval: no features older than `every` steps, and none of another set of branches."""
    cond, uncond = branch(base, "a red circle"), branch(base, "")
    inside = classifier_free_guidance(cond, uncond, 3.0)
    plain = guidance_interval(inside, cond, 300, 600)
    predict = evaluator([feature_reuse(plain, every=3, outer=2)], 1)
    equal: list[bool] = []
    for t in [900, 700, 600, 500, 450, 400, 200, 100]:
        x_t, at = torch.randn(1, 3, 16, 16), torch.tensor([t])
        equal.append(torch.equal(predict(x_t, at)[0].x0, plain(x_t, at).x0))
    assert equal == [True, False, True, False, False, True, True, False]


def test_a_batch_beyond_memory_keeps_the_features_of_its_parts(base: UNet) -> None:
    leaf = branch(base, "a red circle")
    assert isinstance(leaf, Leaf)
    keeping, calls = leaf.network.keeping, list[tuple[int, bool]]()

    def small(x_t: Tensor, t: Tensor, **given: Any) -> tuple[Tensor, Tensor]:
        assert keeping is not None
        calls.append((len(x_t), given["deep"] is None))
        if len(x_t) > 2:
            raise MemoryError
        return keeping(x_t, t, **given)

    halved = replace(leaf, network=replace(leaf.network, keeping=small))
    schedule = noise_scheduler(base, steps=3)
    expected = drawn(ddim_sampler(feature_reuse(leaf, 2), schedule, count=3))
    found = drawn(ddim_sampler(feature_reuse(halved, 2), schedule, count=3))
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)
    whole, kept = [(2, True), (1, True)], [(2, False), (1, False)]
    assert calls == [(3, True), *whole, *kept, *whole]


def test_what_cannot_be_kept_is_refused(base: UNet) -> None:
    with pytest.raises(Mismatch, match="no UNet"):
        feature_reuse(point_denoiser(point_network(8, 1).promise()))
    with pytest.raises(Mismatch, match="4 stages"):
        feature_reuse(guided(base), outer=4)
    with pytest.raises(Mismatch, match="already"):
        feature_reuse(feature_reuse(guided(base)))
