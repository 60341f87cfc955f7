"""Intervals by the bootstrap: as many cases are drawn with replacement, and measured again. Ref: Efron 1979."""

import math
from dataclasses import dataclass

import numpy as np

LEVEL = 0.95
"""Share of the resamples that an interval holds, as many left out below as above."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure, and between what the resamples lie."""

    value: float
    low: float
    high: float


def resampled_counts(cases: int, resamples: int, seed: int) -> np.ndarray:
    """How often each of N cases is in each resample: whole numbers [R, N], each row adding up to N."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(cases, np.full(cases, 1 / cases), resamples)


def mean_intervals(values: np.ndarray, counts: np.ndarray) -> tuple[Interval, ...]:
    """Means of figures of cases, [C, N], over the cases: their percentiles over resamples `counts` [R, N]."""
    means = counts @ values.T / values.shape[1]  # [R, C]
    bounds = _percentiles(means).T  # [C, 2]
    return tuple(
        Interval(float(mean), float(low), float(high))
        for mean, (low, high) in zip(values.mean(1), bounds, strict=True)
    )


def centred_interval(
    value: float, resampled: np.ndarray, least: float = -math.inf, most: float = math.inf
) -> Interval:
    """Percentiles of a figure [R] of resamples, moved so that the mean of the resamples lies at the figure itself.

    For figures that grow or shrink where cases are in a set twice, such as distances of distributions: that bias is not
    what the interval is asked for. It ends at `least` and `most`, beyond which the figure cannot be.
    """
    low, high = _percentiles(resampled) - resampled.mean() + value
    return Interval(value, max(least, float(low)), min(most, float(high)))


def _percentiles(resampled: np.ndarray) -> np.ndarray:
    """The two ends, [2, …], over the first dimension."""
    return np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
