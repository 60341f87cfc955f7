"""The forward process, its posterior, and conversions between x_0, ε, v and x_{t−1}. `t` int64 [B]: steps."""

import torch
from torch import Tensor

from nodes.diffusion.schedule import Schedule, at
from nodes.target import FixedVariance, Parametrisation, Target


def q_sample(schedule: Schedule, x0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
    """A draw of q(x_t | x_0) = N(√ᾱ_t x_0, 1 − ᾱ_t), with the given noise. Ref: Ho et al. 2020, eq. 4."""
    signal = at(schedule.sqrt_alphas_cumprod, t, x0)
    return signal * x0 + at(schedule.sqrt_one_minus_alphas_cumprod, t, x0) * noise


def renoised(schedule: Schedule, x: Tensor, level: int, step: int, noise: Tensor) -> Tensor:
    """A draw of q(x_step | x_level) for a level below the step; −1 is the clean sample. Ref: Ho et al. 2020, eq. 2 and 4."""
    products = schedule.alphas_cumprod
    kept = float(products[step] / (products[level] if level >= 0 else 1.0))
    return kept**0.5 * x + (1 - kept) ** 0.5 * noise


def q_mean_variance(schedule: Schedule, x0: Tensor, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, variance and log-variance of q(x_t | x_0); the last two [B, 1, …]. Ref: Ho et al. 2020, eq. 4."""
    mean = at(schedule.sqrt_alphas_cumprod, t, x0) * x0
    variance = at(1 - schedule.alphas_cumprod, t, x0)
    return mean, variance, at(schedule.log_one_minus_alphas_cumprod, t, x0)


def posterior(
    schedule: Schedule, x0: Tensor, x_t: Tensor, t: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, variance and log-variance of q(x_{t−1} | x_t, x_0). Ref: Ho et al. 2020, eq. 6–7."""
    mean = (
        at(schedule.posterior_mean_coef1, t, x_t) * x0
        + at(schedule.posterior_mean_coef2, t, x_t) * x_t
    )
    variance = at(schedule.posterior_variance, t, x_t)
    return mean, variance, at(schedule.posterior_log_variance_clipped, t, x_t)


def x0_from_eps(schedule: Schedule, x_t: Tensor, t: Tensor, eps: Tensor) -> Tensor:
    """x_0 = √(1/ᾱ_t) x_t − √(1/ᾱ_t − 1) ε."""
    return (
        at(schedule.sqrt_recip_alphas_cumprod, t, x_t) * x_t
        - at(schedule.sqrt_recipm1_alphas_cumprod, t, x_t) * eps
    )


def eps_from_x0(schedule: Schedule, x_t: Tensor, t: Tensor, x0: Tensor) -> Tensor:
    """ε = (√(1/ᾱ_t) x_t − x_0) / √(1/ᾱ_t − 1)."""
    scaled = at(schedule.sqrt_recip_alphas_cumprod, t, x_t) * x_t
    return (scaled - x0) / at(schedule.sqrt_recipm1_alphas_cumprod, t, x_t)


def x0_from_v(schedule: Schedule, x_t: Tensor, t: Tensor, v: Tensor) -> Tensor:
    """x_0 = √ᾱ_t x_t − √(1 − ᾱ_t) v. Ref: Salimans & Ho 2022, App. D."""
    signal = at(schedule.sqrt_alphas_cumprod, t, x_t)
    return signal * x_t - at(schedule.sqrt_one_minus_alphas_cumprod, t, x_t) * v


def v_from_x0(schedule: Schedule, x_t: Tensor, t: Tensor, x0: Tensor) -> Tensor:
    """v = (√ᾱ_t x_t − x_0) / √(1 − ᾱ_t). Ref: Salimans & Ho 2022, App. D."""
    signal = at(schedule.sqrt_alphas_cumprod, t, x_t)
    return (signal * x_t - x0) / at(schedule.sqrt_one_minus_alphas_cumprod, t, x_t)


def v_target(schedule: Schedule, x0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
    """v = √ᾱ_t ε − √(1 − ᾱ_t) x_0, what a v-network is trained on. Ref: Salimans & Ho 2022, App. D."""
    signal = at(schedule.sqrt_alphas_cumprod, t, x0)
    return signal * noise - at(schedule.sqrt_one_minus_alphas_cumprod, t, x0) * x0


def x0_from_x_prev(schedule: Schedule, x_t: Tensor, t: Tensor, x_prev: Tensor) -> Tensor:
    """x_0 for which x_{t−1} is the posterior mean."""
    ratio = at(schedule.posterior_mean_coef2 / schedule.posterior_mean_coef1, t, x_t)
    return at(1 / schedule.posterior_mean_coef1, t, x_t) * x_prev - ratio * x_t


def prediction_and_variance(target: Target, output: Tensor) -> tuple[Tensor, Tensor | None]:
    """A network's output in its two parts: what is predicted [B, C, …], and the raw variance, or None where it is fixed."""
    if not target.learned_variance:
        return output, None
    predicted, raw = output.chunk(2, 1)
    return predicted, raw


def predicted_x0(
    schedule: Schedule, kind: Parametrisation, x_t: Tensor, t: Tensor, output: Tensor
) -> Tensor:
    """x_0 from a network's output, in float32: |x_0| reaches thousands where ᾱ_t is near 0."""
    x_t, output = x_t.float(), output.float()
    convert = {"eps": x0_from_eps, "v": x0_from_v, "x_prev": x0_from_x_prev}
    return output if kind == "x0" else convert[kind](schedule, x_t, t, output)


def fixed_log_variance(schedule: Schedule, kind: FixedVariance, t: Tensor, like: Tensor) -> Tensor:
    """log Σ [B, 1, …] of a network that learned none.

    `fixed_small`: β̃_t; `fixed_large`: β_t (both with the second β̃ at the first step);
    `fixed_small_log`: β̃_t clipped at 1e-20. Ref: Ho et al. 2020, §3.2.
    """
    if kind == "fixed_small":
        return at(schedule.posterior_log_variance_clipped, t, like)
    if kind == "fixed_small_log":
        return at(schedule.posterior_variance.clamp(min=1e-20).log(), t, like)
    return at(_large(schedule).log(), t, like)


def fixed_variance(schedule: Schedule, kind: FixedVariance, t: Tensor, like: Tensor) -> Tensor:
    """Σ [B, 1, …] of a network that learned none; see `fixed_log_variance`."""
    table = _large(schedule) if kind == "fixed_large" else schedule.posterior_variance
    return at(table, t, like)


def _large(schedule: Schedule) -> Tensor:
    return torch.cat([schedule.posterior_variance[1:2], schedule.betas[1:]])


def learned_log_variance(schedule: Schedule, fraction: Tensor, t: Tensor) -> Tensor:
    """log Σ between log β̃_t (−1) and log β_t (1) of *this* schedule. Ref: Nichol & Dhariwal 2021, eq. 15."""
    low = at(schedule.posterior_log_variance_clipped, t, fraction)
    high = at(schedule.betas.log(), t, fraction)
    share = (fraction.float() + 1) / 2
    return share * high + (1 - share) * low
