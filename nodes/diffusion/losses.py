"""Training losses, one value per row [B]."""

from typing import Literal

import torch
from torch import Tensor

from nodes.diffusion.likelihood import flat_mean, vlb_terms
from nodes.diffusion.process import posterior, prediction_and_variance, v_target
from nodes.diffusion.schedule import Schedule, at
from nodes.target import Parametrisation, Target

LossKind = Literal["mse", "hybrid", "kl", "scaled_kl"]


def regressed(
    schedule: Schedule, target: Target, x0: Tensor, x_t: Tensor, t: Tensor, noise: Tensor
) -> Tensor:
    """What the network's prediction is regressed on: ε, x_0, v or the posterior's mean."""
    if target.parametrisation == "v":
        return v_target(schedule, x0, t, noise)
    if target.parametrisation == "x_prev":
        return posterior(schedule, x0, x_t, t)[0]
    return noise if target.parametrisation == "eps" else x0


def squared_error(
    schedule: Schedule,
    target: Target,
    x0: Tensor,
    x_t: Tensor,
    t: Tensor,
    noise: Tensor,
    output: Tensor,
) -> Tensor:
    """The simple loss: mean squared error of the parametrised part [B]. Ref: Ho et al. 2020, eq. 14."""
    predicted, _ = prediction_and_variance(target, output)
    return flat_mean((regressed(schedule, target, x0, x_t, t, noise) - predicted).square())


def detached_vlb(
    schedule: Schedule, target: Target, x0: Tensor, x_t: Tensor, t: Tensor, output: Tensor
) -> Tensor:
    """VLB terms that train the variance alone: the mean is held fixed. Ref: Nichol & Dhariwal 2021, §3.1."""
    mean_part, raw = output.chunk(2, 1)
    frozen = torch.cat([mean_part.detach(), raw], 1)
    return vlb_terms(schedule, target, x0, x_t, t, frozen, clip=False)[0]


def training_loss(
    schedule: Schedule,
    target: Target,
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
        bound = vlb_terms(schedule, target, x0, x_t, t, output, clip=False)[0]
        return {"loss": bound * len(schedule) if loss == "scaled_kl" else bound}
    mse = squared_error(schedule, target, x0, x_t, t, noise, output)
    if not target.learned_variance:
        return {"mse": mse, "loss": mse}
    bound = detached_vlb(schedule, target, x0, x_t, t, output)
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
