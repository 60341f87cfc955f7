"""Samplers: generators over the steps of a schedule, the noisiest first. None knows about any technique."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nodes.diffusion.denoisers import Denoiser, Evaluator, Prediction, evaluator
from nodes.diffusion.noise import INITIAL, NoiseSource
from nodes.diffusion.process import (
    FixedVariance,
    fixed_log_variance,
    fixed_variance,
    learned_log_variance,
    posterior,
    predicted_x0,
    renoised,
)
from nodes.diffusion.schedule import Schedule, at


@dataclass(frozen=True, slots=True)
class Now:
    """A step of a sampler that was just made: `done` of `total`, the new x_{t−1} and the prediction of x_0 [B, …]."""

    done: int
    total: int
    x_t: Tensor
    x0: Tensor


@dataclass(frozen=True, slots=True)
class Start:
    """Where sampling starts. `count` samples for each row of conditions; x_T is `temperature` · noise.

    With `x_t` [B, …] given it starts there, at the first step that the schedule visits.
    """

    noise: NoiseSource
    count: int = 1
    temperature: float = 1.0
    x_t: Tensor | None = None

    def first(self, denoiser: Denoiser[Any]) -> Tensor:
        """x at the start, float32 [B, …] on the denoiser's device."""
        if self.x_t is not None:
            return self.x_t.float().to(denoiser.device)
        if self.count < 1:
            raise ValueError(f"count must be at least 1, not {self.count}")
        samples = range(denoiser.rows * self.count)
        noise = self.noise.draw(samples, INITIAL, denoiser.sample_shape)
        return (noise * self.temperature).to(denoiser.device)

    def draw(self, number: int, like: Tensor) -> Tensor:
        """Noise of the number-th draw after x_T, like x_t."""
        drawn = self.noise.draw(range(len(like)), INITIAL + 1 + number, tuple(like.shape[1:]))
        return drawn.to(like.device)


@dataclass(frozen=True, slots=True)
class Visit:
    """A step that a sampler takes: the `number`-th, at `step` of the schedule, also as `steps` [B] of every row."""

    number: int
    step: int
    steps: Tensor


Sampling = Generator[Now, None, Tensor]
Move = Callable[[Tensor, Visit, Prediction], Tensor]
"""(x_t, visit, prediction) → x_{t−1}."""


def _walk(denoiser: Denoiser[Any], schedule: Schedule, start: Start, move: Move) -> Sampling:
    _same_chain(denoiser, schedule)
    x_t = start.first(denoiser)
    predict = evaluator([denoiser], len(x_t))
    total = len(schedule.visits)
    # x_t is at `level` (−1 = x_0). A plain schedule goes on from the level that the last step reached; RePaint's goes back to a
    # noisier one, and x_t must first be noised from where it is to where it is visited. The draws for that are numbered after
    # those of the steps, so that the noise of the steps does not depend on where the jumps are.
    level = schedule.visits[0]
    for number, step in enumerate(schedule.visits):
        # A generator must not leave the caller's gradient mode changed while it waits.
        with torch.no_grad():
            if step > level:
                x_t = renoised(schedule, x_t, level, step, start.draw(total + number, x_t))
            visit = Visit(number, step, torch.full((len(x_t),), step, device=x_t.device))
            x_t, x0 = _one(predict, schedule, x_t, visit, move)
        level = step - 1
        yield Now(number + 1, total, x_t, x0)
    return x_t


def _one(
    predict: Evaluator, schedule: Schedule, x_t: Tensor, visit: Visit, move: Move
) -> tuple[Tensor, Tensor]:
    [prediction] = predict(x_t, schedule.timesteps.to(x_t.device)[visit.steps])
    return move(x_t, visit, prediction), prediction.x0


def _same_chain(denoiser: Denoiser[Any], schedule: Schedule) -> None:
    trained = denoiser.trained
    if schedule.chain != trained.chain:
        raise ValueError(
            f"the schedule is cut from a {schedule.kind} chain of {schedule.train_steps} steps, but the network was "
            f"trained on a {trained.kind} chain of {trained.train_steps}"
        )


def ancestral(denoiser: Denoiser[Any], schedule: Schedule, start: Start) -> Sampling:
    """Ancestral sampling; a score shifts the mean by Σ·score. Ref: Ho et al. 2020, Alg. 2; Dhariwal & Nichol 2021, Alg. 1."""

    def move(x_t: Tensor, visit: Visit, prediction: Prediction) -> Tensor:
        noise = None if visit.step == 0 else start.draw(visit.number, x_t)
        fixed = denoiser.target.fixed_variance
        return ancestral_step(schedule, x_t, visit.steps, prediction, noise, fixed)

    return _walk(denoiser, schedule, start, move)


def ancestral_step(
    schedule: Schedule,
    x_t: Tensor,
    steps: Tensor,
    prediction: Prediction,
    noise: Tensor | None,
    fixed: FixedVariance = "fixed_small",
) -> Tensor:
    """x_{t−1} drawn from p(x_{t−1} | x_t) with standard normal `noise` [B, …]; at step 0, or without noise, its mean."""
    mean, log_variance = reverse_step(schedule, x_t, steps, prediction, fixed)
    return (
        mean if noise is None else mean + _moving(steps, x_t) * (0.5 * log_variance).exp() * noise
    )


def _moving(steps: Tensor, like: Tensor) -> Tensor:
    """0 for rows at step 0, which take no noise, 1 for the others, [B, 1, …]."""
    return (steps > 0).to(like.dtype).reshape(-1, *[1] * (like.ndim - 1))


def reverse_step(
    schedule: Schedule, x_t: Tensor, steps: Tensor, prediction: Prediction, fixed: FixedVariance
) -> tuple[Tensor, Tensor]:
    """Mean and log-variance of p(x_{t−1} | x_t), guided by the score. Ref: Dhariwal & Nichol 2021, Alg. 1."""
    mean, _, _ = posterior(schedule, prediction.x0, x_t, steps)
    if prediction.variance is None:
        log_variance = fixed_log_variance(schedule, fixed, steps, x_t)
        variance = fixed_variance(schedule, fixed, steps, x_t)
    else:
        log_variance = learned_log_variance(schedule, prediction.variance, steps)
        variance = log_variance.exp()
    if prediction.score is not None:
        mean = mean + variance * prediction.score
    return mean, log_variance


def ddim(denoiser: Denoiser[Any], schedule: Schedule, start: Start, eta: float = 0.0) -> Sampling:
    """DDIM; η = 0 is deterministic, η = 1 as noisy as DDPM. Ref: Song et al. 2021, eq. 12; Dhariwal & Nichol 2021, Alg. 2."""

    def move(x_t: Tensor, visit: Visit, prediction: Prediction) -> Tensor:
        still = visit.step == 0 or eta == 0
        noise = None if still else start.draw(visit.number, x_t)
        return ddim_step(schedule, x_t, visit.steps, prediction, noise, eta)

    return _walk(denoiser, schedule, start, move)


def ddim_step(
    schedule: Schedule,
    x_t: Tensor,
    steps: Tensor,
    prediction: Prediction,
    noise: Tensor | None,
    eta: float = 0.0,
) -> Tensor:
    """x_{t−1} by DDIM, the score folded into x_0 and ε; no noise enters at step 0. Ref: Song et al. 2021, eq. 12."""
    x0, eps = guided_x0_eps(schedule, x_t, steps, prediction)
    before = at(schedule.alphas_cumprod_prev, steps, x_t)
    sigma = eta * at(schedule.posterior_variance, steps, x_t).sqrt()
    # With few steps and η near 1 nothing is left of ε; rounding may leave less than nothing.
    mean = before.sqrt() * x0 + (1 - before - sigma**2).clamp(min=0).sqrt() * eps
    return mean if noise is None else mean + _moving(steps, x_t) * sigma * noise


def guided_x0_eps(
    schedule: Schedule, x_t: Tensor, steps: Tensor, prediction: Prediction
) -> tuple[Tensor, Tensor]:
    """x_0 and ε with the score folded in: ε − √(1 − ᾱ_t)·score. Ref: Dhariwal & Nichol 2021, Alg. 2."""
    scaled = at(schedule.sqrt_recip_alphas_cumprod, steps, x_t) * x_t
    deviation = at(schedule.sqrt_recipm1_alphas_cumprod, steps, x_t)
    eps = (scaled - prediction.x0) / deviation
    if prediction.score is None:
        return prediction.x0, eps
    eps = eps - at(schedule.sqrt_one_minus_alphas_cumprod, steps, x_t) * prediction.score
    return predicted_x0(schedule, "eps", x_t, steps, eps), eps


def dpm_solver(
    denoiser: Denoiser[Any], schedule: Schedule, start: Start, order: int = 2
) -> Sampling:
    """DPM-Solver++(2M), a multistep solver of the probability-flow ODE in x_0. Ref: Lu et al. 2022b, Alg. 2.

    The first step is of first order, also after a jump, and the last two: the log-SNR leaps there.
    Raises ValueError unless `order` is 1 or 2.
    """
    if order not in (1, 2):
        raise ValueError(f"order must be 1 or 2, not {order}")
    log_snr = schedule.alphas_cumprod.sqrt().log() - schedule.sqrt_one_minus_alphas_cumprod.log()
    before: dict[int, Tensor] = {}

    def move(x_t: Tensor, visit: Visit, prediction: Prediction) -> Tensor:
        x0, _ = guided_x0_eps(schedule, x_t, visit.steps, prediction)
        step, earlier = visit.step, before.get(visit.step + 1)
        before.clear()
        before[step] = x0
        if step == 0:
            return x0
        now, then = log_snr[step], log_snr[step - 1]
        guess = x0
        if order == 2 and earlier is not None and step > 1:
            ratio = float((now - log_snr[step + 1]) / (then - now))
            guess = x0 + (x0 - earlier) / (2 * ratio)
        signal = float(schedule.sqrt_alphas_cumprod[step - 1])
        spread = schedule.sqrt_one_minus_alphas_cumprod
        shrink = float(spread[step - 1] / spread[step])
        return shrink * x_t - signal * float(torch.expm1(now - then)) * guess

    return _walk(denoiser, schedule, start, move)


def ddim_inversion(denoiser: Denoiser[Any], schedule: Schedule, x0: Tensor) -> Sampling:
    """x_T from which DDIM with η = 0 returns about x_0 [B, …]. Ref: Song et al. 2021, §4.3; Dhariwal & Nichol 2021, App. F."""
    _same_chain(denoiser, schedule)
    x_t = x0.float().to(denoiser.device)
    predict = evaluator([denoiser], len(x_t))
    total = len(schedule)
    for step in range(total):
        with torch.no_grad():
            steps = torch.full((len(x_t),), step, device=x_t.device)
            [prediction] = predict(x_t, schedule.timesteps.to(x_t.device)[steps])
            x_t = invert_step(schedule, x_t, steps, prediction)
        yield Now(step + 1, total, x_t, prediction.x0)
    return x_t


def invert_step(schedule: Schedule, x_t: Tensor, steps: Tensor, prediction: Prediction) -> Tensor:
    """x_{t+1} by DDIM run backwards."""
    predicted, eps = guided_x0_eps(schedule, x_t, steps, prediction)
    after = at(schedule.alphas_cumprod_next, steps, x_t)
    return after.sqrt() * predicted + (1 - after).sqrt() * eps
