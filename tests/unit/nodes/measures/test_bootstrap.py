"""Intervals of resampled cases, and the best of n, against what is known about them."""

from itertools import combinations
from math import comb

import numpy as np
import pytest
import torch

from nodes.measures.bootstrap import centred_interval, mean_intervals, resampled_counts
from nodes.measures.fidelity import (
    frechet_distance,
    kernel_distance,
    precision_recall,
    resampled_coverage,
    resampled_frechet,
    resampled_kernel,
)
from nodes.measures.order import best_of


def test_resamples_hold_as_many_cases_as_there_are() -> None:
    counts = resampled_counts(50, 4000, 0)
    assert counts.shape == (4000, 50)
    assert set(counts.sum(1)) == {50}
    assert counts.mean(0) == pytest.approx(np.ones(50), abs=0.08)
    # Each of 50 cases is left out of a resample with probability (1 − 1/50)⁵⁰.
    assert (counts == 0).mean() == pytest.approx(0.98**50, abs=0.005)


def test_the_interval_of_a_share_is_the_binomials() -> None:
    """The mean of a resample of k ones among n is a binomial share: its interval has the binomial's percentiles."""
    n, ones = 40, 12
    values = np.array([[1.0] * ones + [0.0] * (n - ones)])
    (found,) = mean_intervals(values, resampled_counts(n, 20_000, 1))
    share = ones / n
    mass = np.cumsum([comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(n + 1)])
    ends = [int(np.searchsorted(mass, p)) / n for p in (0.025, 0.975)]
    assert found.value == pytest.approx(share)
    assert [found.low, found.high] == pytest.approx(ends, abs=1e-9)


def test_the_interval_holds_the_mean_in_about_19_of_20_experiments() -> None:
    rng = np.random.default_rng(2)
    values = rng.random((1000, 60))
    held = [i.low <= 0.5 <= i.high for i in mean_intervals(values, resampled_counts(60, 1000, 3))]
    assert 0.92 <= np.mean(held) <= 0.97


def test_a_resample_is_measured_as_the_rows_that_it_holds() -> None:
    torch.manual_seed(0)
    a, b = torch.randn(30, 3), torch.randn(40, 3) + 0.5
    counts = torch.from_numpy(resampled_counts(30, 5, 0))
    for row, distance in zip(counts, resampled_frechet(a, b, counts), strict=True):
        held = a.repeat_interleave(row, 0)
        assert float(distance) == pytest.approx(frechet_distance(held, b))
    shares, _ = resampled_coverage(a, b, counts)
    reached = precision_recall(a, b).precision * 30
    assert float(shares.mean()) * 30 == pytest.approx(reached, rel=0.3)


def test_no_row_is_paired_with_itself() -> None:
    """A row that is there twice is no pair of pictures alike: the mean over many resamples is the unbiased distance."""
    torch.manual_seed(1)
    a, b = torch.randn(25, 4), torch.randn(30, 4)
    resampled = resampled_kernel(a, b, torch.from_numpy(resampled_counts(25, 20_000, 0)))
    error = float(resampled.std()) / 20_000**0.5
    assert float(resampled.mean()) == pytest.approx(kernel_distance(a, b), abs=6 * error)


def test_intervals_of_distances_have_the_spread_of_new_experiments() -> None:
    """As wide as the distances of other draws of the same law are apart, for either distance."""
    torch.manual_seed(2)
    b = torch.randn(2000, 2)
    draws = [1.5 * torch.randn(100, 2) + 0.5 for _ in range(300)]
    counts = torch.from_numpy(resampled_counts(100, 300, 0))
    for distance, resampled in (
        (frechet_distance, resampled_frechet),
        (kernel_distance, resampled_kernel),
    ):
        there = np.array([distance(a, b) for a in draws])
        found = [
            centred_interval(distance(a, b), resampled(a, b, counts).numpy()) for a in draws[:25]
        ]
        widths = [i.high - i.low for i in found]
        spread = np.subtract(*np.quantile(there, [0.975, 0.025]))
        assert np.median(widths) == pytest.approx(spread, rel=0.25)
        assert all(i.low < i.value < i.high for i in found)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 6])
def test_the_best_of_n_is_the_mean_over_all_draws(n: int) -> None:
    rng = np.random.default_rng(0)
    scores, values = rng.standard_normal((4, 6)), rng.standard_normal((2, 4, 6))
    found = best_of(scores, values, n)
    for case in range(4):
        draws = list(combinations(range(6), n))
        best = [max(draw, key=lambda row: scores[case, row]) for draw in draws]
        assert found[:, case] == pytest.approx(values[:, case, best].mean(1))


def test_the_best_of_n_of_uniform_scores_is_what_theory_says() -> None:
    """Of n uniform numbers the largest is n / (n + 1) on average."""
    scores = np.random.default_rng(0).random((2000, 16))
    for n in (1, 4, 16):
        assert best_of(scores, scores[None], n).mean() == pytest.approx(n / (n + 1), abs=0.01)
    with pytest.raises(ValueError, match="of 16 rows no 17"):
        best_of(scores, scores[None], 17)


def test_an_interval_ends_where_the_figure_does() -> None:
    resampled = np.linspace(0.6, 1.0, 101)
    free, share = centred_interval(0.95, resampled), centred_interval(0.95, resampled, 0, 1)
    assert free.high == pytest.approx(1.14) and share.high == 1
    assert share.low == free.low == pytest.approx(0.76)
