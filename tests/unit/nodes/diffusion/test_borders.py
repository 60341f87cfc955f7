"""What happens just at the borders of every comparison in the diffusion core, on both of their sides."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from nodes.diffusion import masks, process
from nodes.diffusion.denoisers import DiffusionNetwork, Leaf
from nodes.diffusion.likelihood import discretised_log_likelihood, vlb_terms
from nodes.diffusion.noise import RecordedNoise, SeededNoise
from nodes.diffusion.respacing import respace, spaced_timesteps, started_at, with_resampling
from nodes.diffusion.samplers import (
    Prediction,
    Start,
    ancestral,
    ancestral_step,
    ddim,
    ddim_step,
    dpm_solver,
)
from nodes.diffusion.schedule import Schedule, from_betas, schedule
from nodes.diffusion.techniques import ClipX0, DynamicThreshold, GuidanceInterval, GuidanceRescale
from nodes.diffusion.timesteps import LossSecondMoment, stratified
from nodes.diffusion.tokens import Choice, drawn, probabilities
from nodes.measures.fidelity import frechet_distance, kernel_distance, precision_recall
from nodes.measures.pca import dequantised, fit_pca, quantised
from nodes.target import Target

CHAIN = schedule("cosine", 100)


def constant(value: float) -> Leaf:
    return Leaf(
        DiffusionNetwork(lambda x, t: torch.full_like(x, value), CHAIN, (1, 2, 2), Target("x0"))
    )


# Schedules


def test_betas_lie_above_zero_and_reach_one() -> None:
    assert float(from_betas([0.5, 1.0]).alphas_cumprod[1]) == 0
    for bad in ([0.0, 0.5], [0.5, 1.0 + 1e-9], [-0.1]):
        with pytest.raises(ValueError, match=r"betas must lie in \(0, 1\]"):
            from_betas(bad)
    with pytest.raises(ValueError, match="betas must be float64"):
        from_betas([])
    with pytest.raises(ValueError, match="betas must be float64"):
        Schedule("explicit", torch.tensor([0.5]), torch.tensor([0]), 1)


def test_chains_of_one_step() -> None:
    assert len(schedule("linear", 1)) == 1
    with pytest.raises(ValueError, match="at least one step, not 0"):
        schedule("linear", 0)
    one = from_betas([0.5])
    assert float(one.posterior_log_variance_clipped) == pytest.approx(math.log(1e-20))
    two = from_betas([0.5, 0.5])
    assert torch.equal(two.posterior_log_variance_clipped, two.posterior_variance[[1, 1]].log())


def test_visits_stay_within_the_chain_and_go_down_one_at_a_time() -> None:
    spaced = respace(CHAIN, 4)
    for good, jumps in (
        ((3, 2, 1, 0), 0),
        ((0,), 0),
        ((3, 3, 2, 1, 0), 1),
        ((1, 0, 3, 2, 1, 0), 1),
    ):
        assert replace(spaced, visits=good).jumps == jumps
    for bad in ((4, 3, 2, 1, 0), (3, 1, 0), (3, 2, 1), (1, 0, -1, 0)):
        with pytest.raises(ValueError, match="one step at a time"):
            replace(spaced, visits=bad)


# Respacing


def test_sections_may_be_visited_whole_and_no_more() -> None:
    assert spaced_timesteps(10, "10") == list(range(10))
    assert spaced_timesteps(10, "5,5") == list(range(10))
    assert spaced_timesteps(11, "6,5") == list(range(11))
    assert spaced_timesteps(10, "1") == [0] and spaced_timesteps(10, "2") == [0, 9]
    assert spaced_timesteps(10, "1,1") == [0, 5]
    for bad in ("11", "6,4", "4,6"):
        with pytest.raises(ValueError, match="cannot be divided"):
            spaced_timesteps(10, bad)
    for bad in ("0", "3,0", "-1", "ddim0"):
        with pytest.raises(ValueError, match="at least 1"):
            spaced_timesteps(10, bad)
    for bad in ("x", "ddim"):
        with pytest.raises(ValueError, match="are neither a number"):
            spaced_timesteps(10, bad)


def test_whole_strides() -> None:
    assert spaced_timesteps(10, "ddim10") == list(range(10))
    assert spaced_timesteps(10, "ddim5") == [0, 2, 4, 6, 8]
    assert spaced_timesteps(10, "ddim2") == [0, 5]
    for bad in ("ddim6", "ddim11"):
        with pytest.raises(ValueError, match="no whole stride"):
            spaced_timesteps(10, bad)


def test_a_start_at_the_ends_of_the_chain() -> None:
    spaced = respace(CHAIN, 5)
    assert spaced.timesteps.tolist() == [0, 25, 50, 74, 99]
    assert started_at(spaced, 99).timesteps.tolist() == [0, 25, 50, 74, 99]
    assert started_at(spaced, 0).timesteps.tolist() == [0]
    assert started_at(spaced, 50).visits == (2, 1, 0)
    assert started_at(spaced, 51).timesteps.tolist() == [0, 25, 50, 51]
    assert started_at(spaced, 51).visits == (3, 2, 1, 0)
    assert started_at(spaced, 49).timesteps.tolist() == [0, 25, 49]
    for bad in (-1, 100):
        with pytest.raises(ValueError, match="is not in a chain of 100 steps"):
            started_at(spaced, bad)


def test_nothing_jumps_above_the_first_step() -> None:
    spaced = respace(CHAIN, 5)
    assert with_resampling(spaced, 4, 2).visits == (4, 3, 2, 1, 4, 3, 2, 1, 0)
    assert with_resampling(spaced, 5, 2).visits == (4, 3, 2, 1, 0)
    assert with_resampling(spaced, 1, 2).visits == (4, 4, 3, 3, 2, 2, 1, 1, 0)


# Samplers


def test_a_sample_at_least() -> None:
    assert len(Start(SeededNoise(0), 1).first(constant(0.0))) == 1
    with pytest.raises(ValueError, match="count must be at least 1, not 0"):
        Start(SeededNoise(0), 0).first(constant(0.0))
    for bad in (0, 3):
        with pytest.raises(ValueError, match="order must be 1 or 2"):
            next(dpm_solver(constant(0.0), CHAIN, Start(SeededNoise(0)), bad))


def test_only_rows_at_step_0_take_no_noise() -> None:
    spaced, steps = respace(CHAIN, 5), torch.tensor([0, 1, 4])
    x_t, noise = torch.zeros(3, 1, 1, 1), torch.ones(3, 1, 1, 1)
    zero = Prediction(x_t)
    for moved in (
        ancestral_step(spaced, x_t, steps, zero, noise),
        ddim_step(spaced, x_t, steps, zero, noise, eta=1.0),
    ):
        wanted = spaced.posterior_variance[steps].sqrt().float()
        torch.testing.assert_close(moved.flatten(), wanted)
        assert float(moved[0]) == 0 and float(moved[1]) > 0


@pytest.mark.parametrize("sampler", [ancestral, lambda d, s, start: ddim(d, s, start, 1.0)])
def test_every_visit_draws_its_own_noise_and_step_0_none(sampler) -> None:
    asked: list[int] = []

    class Watched:
        def draw(self, samples, number: int, shape) -> Tensor:
            asked.append(number)
            return torch.zeros(len(samples), *shape)

    walk = replace(respace(CHAIN, 3), visits=(2, 1, 2, 1, 0, 1, 0))
    list(sampler(constant(0.0), walk, Start(Watched())))
    assert asked == [0, 1, 2, 10, 3, 4, 13, 6]
    asked.clear()
    list(ddim(constant(0.0), walk, Start(Watched())))
    assert asked == [0, 10, 13]


def test_recorded_noise_ends_where_it_ends() -> None:
    noise = RecordedNoise(torch.zeros(2, 3), torch.ones(4, 2, 3))
    assert float(noise.draw([1], 0, (3,)).sum()) == 0
    assert float(noise.draw([1], 4, (3,)).sum()) == 3
    with pytest.raises(IndexError, match="visited step 4 was not recorded; there are 4"):
        noise.draw([0], 5, (3,))
    with pytest.raises(IndexError, match="there are 0 steps"):
        RecordedNoise(torch.zeros(2, 3)).draw([0], 1, (3,))
    with pytest.raises(ValueError, match=r"is \[3\], the sample \[4\]"):
        noise.draw([0], 0, (4,))


def test_samplers_read_a_fraction_of_the_range() -> None:
    with pytest.raises(ValueError, match="as a fraction of its range"):
        DiffusionNetwork(lambda x, t: x, CHAIN, (5,), Target("eps", "log"))


def test_variances_at_the_first_steps() -> None:
    spaced = respace(CHAIN, 4)
    steps, like = torch.tensor([0, 1, 3]), torch.zeros(3, 1)
    second, third = (float(spaced.posterior_variance[i]) for i in (1, 3))
    betas = spaced.betas
    for kind, wanted in (
        ("fixed_small", (second, second, third)),
        ("fixed_small_log", (1e-20, second, third)),
        ("fixed_large", (second, float(betas[1]), float(betas[3]))),
    ):
        found = process.fixed_log_variance(spaced, kind, steps, like).exp()  # type: ignore[arg-type]
        np.testing.assert_allclose(found.flatten().numpy(), wanted, rtol=1e-4)
    for kind, first in (("fixed_small", 0.0), ("fixed_small_log", 0.0), ("fixed_large", second)):
        found = process.fixed_variance(spaced, kind, steps, like)  # type: ignore[arg-type]
        assert float(found[0]) == pytest.approx(first)


def test_ends_of_the_learned_range() -> None:
    spaced, steps = respace(CHAIN, 4), torch.tensor([2, 2, 2])
    fraction = torch.tensor([-1.0, 1.0, 0.0])[:, None]
    low, high, middle = process.learned_log_variance(spaced, fraction, steps).flatten().tolist()
    assert low == pytest.approx(float(spaced.posterior_log_variance_clipped[2]))
    assert high == pytest.approx(float(spaced.betas[2].log()))
    assert middle == pytest.approx((low + high) / 2)


# Techniques


def test_both_ends_belong_to_an_interval() -> None:
    inside, outside = constant(0.1), constant(0.2)
    interval, x_t = GuidanceInterval(inside, outside, 20, 60), torch.zeros(2, 1, 2, 2)
    for t, wanted in ((19, 0.2), (20, 0.1), (60, 0.1), (61, 0.2)):
        x0 = interval(x_t, torch.tensor([t, t])).x0
        assert float(x0[0, 0, 0, 0]) == pytest.approx(wanted), t


def test_ranges_and_thresholds_touch_nothing_within() -> None:
    t = torch.tensor([50])
    x0 = torch.tensor([-2.0, -1.0, 0.5, 1.0, 3.0])
    network = DiffusionNetwork(lambda x, t: x0[None], CHAIN, (5,), Target("x0"))
    assert ClipX0(Leaf(network))(x0[None], t).x0.tolist() == [[-1, -1, 0.5, 1, 1]]
    assert ClipX0(Leaf(network), -0.5, 2)(x0[None], t).x0.tolist() == [[-0.5, -0.5, 0.5, 1, 2]]
    most = DynamicThreshold(Leaf(network), 1.0)(x0[None], t).x0
    torch.testing.assert_close(most, x0[None] / 3)
    middle = DynamicThreshold(Leaf(network), 0.75)(x0[None], t).x0  # |x_0| sorted: ½, 1, 1, 2, 3
    torch.testing.assert_close(middle, x0[None].clamp(-2, 2) / 2)
    least = DynamicThreshold(Leaf(network), 0.0)(x0[None], t).x0
    torch.testing.assert_close(least, x0[None].clamp(-1, 1))


def test_nothing_that_varies_is_rescaled_to_nothing() -> None:
    flat, x_t, t = constant(0.3), torch.zeros(1, 1, 2, 2), torch.tensor([50])
    found = GuidanceRescale(flat, constant(0.5), 0.7)(x_t, t).x0
    assert bool(found.isfinite().all())


# Masks


def test_where_pixels_count_as_known() -> None:
    mask = torch.tensor([1.0, 1 - 1e-3, 1 - 2e-3, 0.0])[None, None, None]
    assert masks.wholly_known(mask).flatten().tolist() == [1, 1, 0, 0]
    near = torch.tensor([1 - 5e-6, 1 - 5e-5, 5e-6, 5e-5])[None, None, None]
    rounded = masks.mask_at(near, (1, 4)).flatten()
    assert rounded[[0, 2]].tolist() == [1, 0]
    torch.testing.assert_close(rounded[[1, 3]], near.flatten()[[1, 3]], rtol=0, atol=0)


def test_colours_of_unknown_pixels_do_not_count() -> None:
    image = torch.tensor([1.0, 1.0, -1.0, -1.0]).reshape(1, 1, 1, 4).expand(-1, 3, 4, -1)
    mask = torch.tensor([1.0, 0.5, 0.0, 0.0]).reshape(1, 1, 1, 4).expand(-1, -1, 4, -1)
    fitted, share = masks.fitted(image, mask, (2, 2))
    torch.testing.assert_close(fitted[:, :, :, 0], torch.ones(1, 3, 2))
    assert float(share[0, 0, 0, 0]) > float(share[0, 0, 0, 1])
    same, kept = masks.fitted(image, mask, (4, 4))
    assert torch.equal(same, image) and torch.equal(kept, mask)
    nothing, none = masks.fitted(image, torch.zeros_like(mask), (2, 2))
    assert float(nothing.abs().max()) == 0 and float(none.max()) == 0


def test_rectangles_end_where_they_say() -> None:
    assert masks.rectangle((4, 4), 0.25, 0.0, 0.75, 1.0)[0, 0, :, 0].tolist() == [0, 1, 1, 0]
    torch.testing.assert_close(
        masks.rectangle((2, 4), 0, 0.125, 1, 0.5)[0, 0, 0], torch.tensor([0.5, 1.0, 0.0, 0.0])
    )


# Likelihoods


def test_the_darkest_and_the_brightest_level_reach_to_infinity() -> None:
    levels = torch.linspace(-1, 1, 256)
    for mean in (-1.3, -1.0, 0.1, 1.0, 1.2):
        chance = discretised_log_likelihood(levels, torch.tensor(mean), torch.tensor(-1.5)).exp()
        assert float(chance.sum()) == pytest.approx(1, abs=1e-3), mean


def test_the_last_term_is_a_likelihood_and_the_others_are_not() -> None:
    x0 = torch.zeros(2, 3, 2, 2)
    t = torch.tensor([0, 1])
    found, _ = vlb_terms(CHAIN, Target("x0"), x0, torch.zeros_like(x0), t, x0)
    assert float(found[1]) == pytest.approx(0, abs=1e-6)
    assert float(found[0]) > 0.5


# Principal components, codes and tokens


def test_numbers_of_components() -> None:
    rows = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    assert len(fit_pca(rows, 3).components) == 3 and len(fit_pca(rows, 1).components) == 1
    assert len(fit_pca(rows.T, 4).components) == 4
    for bad, vectors in ((4, rows), (0, rows), (5, rows.T)):
        with pytest.raises(ValueError, match="there are at most"):
            fit_pca(vectors, bad)


def test_the_ends_of_a_range_are_in_its_outer_buckets() -> None:
    pca = fit_pca(torch.tensor([[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]]), 1)
    values = torch.tensor(
        [[-1.5, 0.0], [-1.0, 0.0], [-0.01, 0.0], [0.0, 0.0], [1.0, 0.0], [9.0, 0.0]]
    )
    codes = quantised(pca, values, 4)
    assert codes.flatten().tolist() == [0, 0, 1, 2, 3, 3]
    middles = dequantised(pca, torch.tensor([[0], [3]]), 4)
    torch.testing.assert_close(middles[:, 0], torch.tensor([-0.75, 0.75]))


def test_how_far_a_nucleus_reaches() -> None:
    logits = torch.tensor([[0.5, 0.25, 0.125, 0.125]]).log()
    for top_p, kept in ((0.0, 1), (0.5, 1), (0.51, 2), (0.75, 2), (0.76, 3), (1.0, 4)):
        chances = probabilities(logits, Choice(1.0, top_p))
        assert int((chances > 0).sum()) == kept, top_p
        assert float(chances.sum()) == pytest.approx(1)
    assert probabilities(logits, Choice(0.0)).tolist() == [[1, 0, 0, 0]]
    colder = probabilities(logits, Choice(temperature=0.5))
    torch.testing.assert_close(colder[0, 0] / colder[0, 1], torch.tensor(4.0))


def test_a_token_without_probability_is_never_drawn() -> None:
    shares = torch.tensor([[0.0, 0.5, 0.0, 0.5, 0.0]]).expand(4, -1)
    uniform = torch.tensor([0.0, 0.5 - 1e-9, 0.5, 1 - 1e-17], dtype=torch.float64)
    assert drawn(shares, uniform).tolist()[:3] == [1, 1, 3]
    assert drawn(shares[:1, :4], uniform[3:]).tolist() == [3]


# Timesteps of a training, and what is measured of pictures


def test_timesteps_stay_within_the_chain() -> None:
    class Last:
        def random(self, size: int) -> np.ndarray:
            return np.full(size, 1.0)

        def permutation(self, values: np.ndarray) -> np.ndarray:
            return values

    assert stratified(Last(), 4, 8).tolist() == [2, 4, 6, 7]  # type: ignore[arg-type]


def test_a_full_history_ends_uniform_sampling() -> None:
    sampler = LossSecondMoment(2, history=2)
    sampler.update([0, 0, 1], [1.0, 1.0, 3.0])
    assert sampler.probabilities().tolist() == [0.5, 0.5]
    sampler.update([1], [3.0])
    even = 0.001 / 2
    np.testing.assert_allclose(sampler.probabilities(), [0.999 / 4 + even, 0.999 * 3 / 4 + even])
    sampler.update([1, 1], [1.0, 1.0])  # the older losses are forgotten
    np.testing.assert_allclose(sampler.probabilities(), [0.5, 0.5])
    nothing = LossSecondMoment(2, history=1)
    nothing.update([0, 1], [0.0, 0.0])
    assert nothing.probabilities().tolist() == [0.5, 0.5]


def test_how_few_rows_can_be_measured() -> None:
    rows = torch.tensor([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0], [3.0, 1.0]])
    assert frechet_distance(rows[:2], rows[:2]) == pytest.approx(0, abs=1e-6)
    assert math.isfinite(kernel_distance(rows[:2], rows))
    for measure in (frechet_distance, kernel_distance):
        for a, b in ((rows[:1], rows), (rows, rows[:1])):
            with pytest.raises(ValueError, match="at least two rows"):
                measure(a, b)
    assert precision_recall(rows, rows, 3).precision == 1
    for a, b in ((rows[:3], rows), (rows, rows[:3])):
        with pytest.raises(ValueError, match="3 neighbours need more than 3 rows"):
            precision_recall(a, b, 3)


def test_the_edge_of_a_reach_is_within_it() -> None:
    real = torch.tensor([[0.0], [2.0]])
    for far, within in ((4.0, 0.5), (4.001, 0.0)):
        generated = torch.tensor([[far], [far + 100]])
        assert precision_recall(generated, real, 1).precision == within
    assert precision_recall(torch.tensor([[4.0], [6.0]]), real, 1).recall == 0.5
