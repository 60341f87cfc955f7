"""Likelihoods: terms of the variational bound and bits per dimension; one value per row [B], in bits where bits are meant."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from nodes.diffusion.noise import INITIAL, NoiseSource
from nodes.diffusion.process import (
    eps_from_x0,
    fixed_log_variance,
    learned_log_variance,
    posterior,
    predicted_x0,
    prediction_and_variance,
    q_mean_variance,
    q_sample,
)
from nodes.diffusion.schedule import Schedule
from nodes.target import Target


def flat_mean(x: Tensor) -> Tensor:
    """Mean over all but the first dimension."""
    return x.flatten(1).mean(1)


def normal_kl(mean1: Tensor, log_variance1: Tensor, mean2: Tensor, log_variance2: Tensor) -> Tensor:
    """KL(N₁ ‖ N₂) element by element, in nats."""
    ratio = (log_variance1 - log_variance2).exp()
    distance = (mean1 - mean2).square() * (-log_variance2).exp()
    return 0.5 * (-1.0 + log_variance2 - log_variance1 + ratio + distance)


def standard_normal_cdf(x: Tensor) -> Tensor:
    """The tanh approximation of Φ. Ref: Page 1977."""
    return 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def discretised_log_likelihood(x: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """log P of pictures on 256 levels in [−1, 1] under N(mean, e^{2·log_scale}), in nats. Ref: Ho et al. 2020, eq. 13."""
    inverse = (-log_scale).exp()
    upper = standard_normal_cdf(inverse * (x - mean + 1 / 255))
    lower = standard_normal_cdf(inverse * (x - mean - 1 / 255))
    floor = 1e-12
    inside = torch.where(
        x > 0.999, (1 - lower).clamp(min=floor).log(), (upper - lower).clamp(min=floor).log()
    )
    return torch.where(x < -0.999, upper.clamp(min=floor).log(), inside)


def model_mean_log_variance(
    schedule: Schedule, target: Target, x_t: Tensor, t: Tensor, output: Tensor, clip: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and log Σ of p(x_{t−1} | x_t), and the predicted x_0 (clipped to [−1, 1] if asked)."""
    predicted, raw = prediction_and_variance(target, output)
    log_variance = _log_variance(schedule, target, raw, t, x_t)
    x0 = predicted_x0(schedule, target.parametrisation, x_t, t, predicted)
    x0 = x0.clamp(-1, 1) if clip else x0
    if target.parametrisation == "x_prev":
        return predicted, log_variance, x0
    return posterior(schedule, x0, x_t, t)[0], log_variance, x0


def _log_variance(
    schedule: Schedule, target: Target, raw: Tensor | None, t: Tensor, x_t: Tensor
) -> Tensor:
    if raw is None:
        return fixed_log_variance(schedule, target.fixed_variance, t, x_t)
    return raw if target.learned_variance == "log" else learned_log_variance(schedule, raw, t)


def vlb_terms(
    schedule: Schedule,
    target: Target,
    x0: Tensor,
    x_t: Tensor,
    t: Tensor,
    output: Tensor,
    clip: bool = True,
) -> tuple[Tensor, Tensor]:
    """L_{t−1} (KL) for t > 0 and L_0 (likelihood) for t = 0 in bits per dimension, and the predicted x_0.

    Ref: Ho et al. 2020, eq. 5; Nichol & Dhariwal 2021, eq. 3–7.
    """
    true_mean, _, true_log_variance = posterior(schedule, x0, x_t, t)
    mean, log_variance, predicted = model_mean_log_variance(schedule, target, x_t, t, output, clip)
    kl = flat_mean(normal_kl(true_mean, true_log_variance, mean, log_variance)) / math.log(2)
    likelihood = discretised_log_likelihood(x0, mean, 0.5 * log_variance.expand_as(x0))
    return torch.where(t == 0, flat_mean(-likelihood) / math.log(2), kl), predicted


def prior_bits(schedule: Schedule, x0: Tensor) -> Tensor:
    """L_T: KL of q(x_T | x_0) from N(0, 1), bits per dimension [B]. Ref: Ho et al. 2020, eq. 5."""
    t = torch.full((len(x0),), len(schedule) - 1, device=x0.device)
    mean, _, log_variance = q_mean_variance(schedule, x0, t)
    zero = torch.zeros_like(mean)
    return flat_mean(normal_kl(mean, log_variance.expand_as(mean), zero, zero)) / math.log(2)


@dataclass(frozen=True, slots=True)
class BitsPerDimension:
    """−log₂ p(x_0) ≤ `total` = `prior` + Σ `bound`, bits per dimension [B]; the rest per visited step [B, T], noisiest first.

    `bound`: terms of the bound; `x0_error`, `eps_error`: mean squared errors of the predicted x_0 and ε.
    """

    total: Tensor
    prior: Tensor
    bound: Tensor
    x0_error: Tensor
    eps_error: Tensor


def bits_per_dim(
    schedule: Schedule,
    target: Target,
    network: Callable[[Tensor, Tensor], Tensor],
    x0: Tensor,
    noise: NoiseSource,
) -> BitsPerDimension:
    """The whole variational bound of x_0 [B, …] in [−1, 1], one network call for each step. Ref: Ho et al. 2020, eq. 5.

    `network(x_t, t)`, t in trained timesteps [B]; the noise of the i-th visited step is the sampler's, draw i + 1.
    """
    columns: list[tuple[Tensor, Tensor, Tensor]] = []
    for visited, step in enumerate(reversed(range(len(schedule)))):
        steps = torch.full((len(x0),), step, device=x0.device)
        eps = noise.draw(range(len(x0)), INITIAL + 1 + visited, tuple(x0.shape[1:])).to(x0.device)
        x_t = q_sample(schedule, x0, steps, eps)
        with torch.no_grad():
            output = network(x_t, schedule.timesteps.to(x0.device)[steps])
        term, predicted = vlb_terms(schedule, target, x0, x_t, steps, output)
        error = eps_from_x0(schedule, x_t, steps, predicted) - eps
        columns.append((term, flat_mean((predicted - x0).square()), flat_mean(error.square())))
    bound, x0_error, eps_error = (torch.stack(part, 1) for part in zip(*columns, strict=True))
    prior = prior_bits(schedule, x0)
    return BitsPerDimension(bound.sum(1) + prior, prior, bound, x0_error, eps_error)
