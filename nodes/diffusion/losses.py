"""Training losses and likelihood terms, one value per row [B]; logarithms to base 2 where bits are meant."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from nodes.diffusion.process import (
    FixedVariance,
    LearnedVariance,
    Parametrisation,
    fixed_log_variance,
    learned_log_variance,
    posterior,
    predicted_x0,
    q_mean_variance,
    v_target,
)
from nodes.diffusion.schedule import Schedule, at

LossKind = Literal["mse", "hybrid", "kl", "scaled_kl"]


@dataclass(frozen=True, slots=True)
class OutputKind:
    """What a network's output means: the parametrisation, and how the variance is had."""

    parametrisation: Parametrisation = "eps"
    variance: FixedVariance | LearnedVariance = "fixed_small"

    @property
    def learned(self) -> bool:
        return self.variance in ("learned_range", "learned")


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
    schedule: Schedule, kind: OutputKind, x_t: Tensor, t: Tensor, output: Tensor, clip: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and log Σ of p(x_{t−1} | x_t), and the predicted x_0 (clipped to [−1, 1] if asked)."""
    mean_part, log_variance = _split(schedule, kind, x_t, t, output)
    x0 = predicted_x0(schedule, kind.parametrisation, x_t, t, mean_part)
    x0 = x0.clamp(-1, 1) if clip else x0
    if kind.parametrisation == "x_prev":
        return mean_part, log_variance, x0
    return posterior(schedule, x0, x_t, t)[0], log_variance, x0


def _split(
    schedule: Schedule, kind: OutputKind, x_t: Tensor, t: Tensor, output: Tensor
) -> tuple[Tensor, Tensor]:
    if kind.variance in ("learned_range", "learned"):
        mean_part, raw = output.chunk(2, 1)
        learned = (
            learned_log_variance(schedule, raw, t) if kind.variance == "learned_range" else raw
        )
        return mean_part, learned
    return output, fixed_log_variance(schedule, kind.variance, t, x_t)


def vlb_terms(
    schedule: Schedule,
    kind: OutputKind,
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
    mean, log_variance, predicted = model_mean_log_variance(schedule, kind, x_t, t, output, clip)
    kl = flat_mean(normal_kl(true_mean, true_log_variance, mean, log_variance)) / math.log(2)
    likelihood = discretised_log_likelihood(x0, mean, 0.5 * log_variance.expand_as(x0))
    return torch.where(t == 0, flat_mean(-likelihood) / math.log(2), kl), predicted


def target(
    schedule: Schedule, kind: OutputKind, x0: Tensor, x_t: Tensor, t: Tensor, noise: Tensor
) -> Tensor:
    """What the network's output is compared with."""
    if kind.parametrisation == "v":
        return v_target(schedule, x0, t, noise)
    if kind.parametrisation == "x_prev":
        return posterior(schedule, x0, x_t, t)[0]
    return noise if kind.parametrisation == "eps" else x0


def squared_error(
    schedule: Schedule,
    kind: OutputKind,
    x0: Tensor,
    x_t: Tensor,
    t: Tensor,
    noise: Tensor,
    output: Tensor,
) -> Tensor:
    """The simple loss: mean squared error of the parametrised part [B]. Ref: Ho et al. 2020, eq. 14."""
    mean_part = output.chunk(2, 1)[0] if kind.learned else output
    return flat_mean((target(schedule, kind, x0, x_t, t, noise) - mean_part).square())


def detached_vlb(
    schedule: Schedule, kind: OutputKind, x0: Tensor, x_t: Tensor, t: Tensor, output: Tensor
) -> Tensor:
    """VLB terms that train the variance alone: the mean is held fixed. Ref: Nichol & Dhariwal 2021, §3.1."""
    mean_part, raw = output.chunk(2, 1)
    frozen = torch.cat([mean_part.detach(), raw], 1)
    return vlb_terms(schedule, kind, x0, x_t, t, frozen, clip=False)[0]


def training_loss(
    schedule: Schedule,
    kind: OutputKind,
    loss: LossKind,
    clean: tuple[Tensor, Tensor],
    x_t: Tensor,
    t: Tensor,
    output: Tensor,
) -> dict[str, Tensor]:
    """Loss terms [B] by name: `loss`, and `mse` and `vb` where they are parts of it; `clean` is (x_0, noise).

    `mse`: simple loss, plus the detached VLB where a variance is learned; `hybrid`: the same with the VLB times T/1000;
    `kl`: VLB; `scaled_kl`: T·VLB. Ref: Nichol & Dhariwal 2021, §3.1.
    """
    x0, noise = clean
    if loss in ("kl", "scaled_kl"):
        bound = vlb_terms(schedule, kind, x0, x_t, t, output, clip=False)[0]
        return {"loss": bound * len(schedule) if loss == "scaled_kl" else bound}
    mse = squared_error(schedule, kind, x0, x_t, t, noise, output)
    if not kind.learned:
        return {"mse": mse, "loss": mse}
    bound = detached_vlb(schedule, kind, x0, x_t, t, output)
    bound = bound * len(schedule) / 1000 if loss == "hybrid" else bound
    return {"mse": mse, "vb": bound, "loss": mse + bound}


def min_snr_weight(
    schedule: Schedule, parametrisation: Parametrisation, t: Tensor, gamma: float = 5.0
) -> Tensor:
    """Weight [B] of a squared error so that x_0's is weighted by min(SNR, γ). Ref: Hang et al. 2023, eq. 9 and App.

    For v the smallest SNR + 1 is used, so that the noisiest steps keep a weight: min(SNR + 1, γ) / (SNR + 1).
    """
    signal = at(schedule.alphas_cumprod, t, t)
    snr = signal / (1 - signal)
    if parametrisation == "x0":
        return snr.clamp(max=gamma)
    if parametrisation == "v":
        return (snr + 1).clamp(max=gamma) / (snr + 1)
    return snr.clamp(max=gamma) / snr


def prior_bits(schedule: Schedule, x0: Tensor) -> Tensor:
    """L_T: KL of q(x_T | x_0) from N(0, 1), bits per dimension [B]. Ref: Ho et al. 2020, eq. 5."""
    t = torch.full((len(x0),), len(schedule) - 1, device=x0.device)
    mean, _, log_variance = q_mean_variance(schedule, x0, t)
    zero = torch.zeros_like(mean)
    return flat_mean(normal_kl(mean, log_variance.expand_as(mean), zero, zero)) / math.log(2)
