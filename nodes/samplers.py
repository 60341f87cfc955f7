"""Samplers: generators that show every step. What is sampled follows the denoiser."""

from collections.abc import Generator
from dataclasses import replace
from typing import Annotated, Any

import torch

from nodegraph import Doc, Mismatch, Progress, Range, node
from nodes.diffusion import samplers
from nodes.diffusion.denoisers import Denoiser
from nodes.diffusion.noise import NoiseSource, SeededNoise
from nodes.diffusion.samplers import Sampling, Start
from nodes.diffusion.schedule import Schedule
from nodes.types import PORT_TYPES as PORT_TYPES
from nodes.types import Seed, X

Count = Annotated[int, Range(1, 4096), Doc("Samples for each row of conditions.")]
Temperature = Annotated[float, Range(0, 2), Doc("Scale of the first noise x_T.")]
Stream = Annotated[str, Doc("Keeps the noise of stages that share a seed apart.")]


def _start(
    seed: int, count: int, temperature: float, stream: str, noise: NoiseSource | None
) -> Start:
    return Start(noise or SeededNoise(seed, stream), count, temperature)


def _shown(denoiser: Denoiser[Any], sampling: Sampling) -> Generator[Progress, None, Any]:
    """The steps of a sampler as progress, with the predicted x_0 to look at; in the end what the sample stands for."""
    value = denoiser.root.network.value
    while True:
        try:
            now = next(sampling)
        except StopIteration as stop:
            return value(stop.value)
        yield Progress(now.done, now.total, value(now.x0))


def _check(denoiser: Denoiser[Any], schedule: Schedule) -> None:
    trained = denoiser.trained
    if (schedule.kind, schedule.train_steps) != (trained.kind, trained.train_steps):
        raise Mismatch(
            f"the schedule is cut from a {schedule.kind} chain of {schedule.train_steps} steps, the network was trained "
            f"on a {trained.kind} one of {trained.train_steps}",
            port="schedule",
            hint="wire the model into noise_scheduler",
        )


def _two_steps(schedule: Schedule) -> Schedule:
    """The first and last step of a schedule: enough for the shapes that a sampler passes on."""
    ends = torch.tensor(sorted({0, len(schedule) - 1}))
    betas = schedule.betas[ends].clamp(max=0.5)
    return replace(schedule, betas=betas, timesteps=schedule.timesteps[ends], products=None)


def _abstractly(
    denoiser: Denoiser[Any], schedule: Schedule, count: int
) -> Generator[Progress, None, Any]:
    """What every sampler does to shapes: two steps, told as two of all."""
    _check(denoiser, schedule)
    start = Start(SeededNoise(0), count)
    sampling = samplers.ddim(denoiser, _two_steps(schedule), start)
    while True:
        try:
            now = next(sampling)
        except StopIteration as stop:
            return denoiser.root.network.value(stop.value)
        yield Progress(now.done, len(schedule))


def _abstract_sampler(denoiser: Denoiser[Any], schedule: Schedule, count: int = 1, **_: Any) -> Any:
    return _abstractly(denoiser, schedule, count)


@node(category="sampling", words=("DDPM", "p_sample"), abstract=_abstract_sampler)
def ancestral_sampler(
    denoiser: Denoiser[X],
    schedule: Schedule,
    seed: Seed = 0,
    count: Count = 1,
    temperature: Temperature = 1.0,
    stream: Stream = "sampler",
    noise: NoiseSource | None = None,
) -> Generator[Progress, None, X]:
    """Samples by ancestral sampling, `count` for each row of conditions. Ref: Ho et al. 2020, Alg. 2.

    Raises Mismatch when the schedule was cut from another chain than the network's.
    """
    _check(denoiser, schedule)
    start = _start(seed, count, temperature, stream, noise)
    return (yield from _shown(denoiser, samplers.ancestral(denoiser, schedule, start)))


@node(category="sampling", words=("deterministic",), abstract=_abstract_sampler)
def ddim_sampler(
    denoiser: Denoiser[X],
    schedule: Schedule,
    seed: Seed = 0,
    count: Count = 1,
    temperature: Temperature = 1.0,
    eta: Annotated[float, Range(0, 1), Doc("0 = deterministic, 1 = as noisy as DDPM.")] = 0.0,
    stream: Stream = "sampler",
    noise: NoiseSource | None = None,
) -> Generator[Progress, None, X]:
    """Samples by DDIM. Ref: Song et al. 2021, eq. 12. Raises Mismatch as `ancestral_sampler`."""
    _check(denoiser, schedule)
    start = _start(seed, count, temperature, stream, noise)
    return (yield from _shown(denoiser, samplers.ddim(denoiser, schedule, start, eta)))


@node(category="sampling", words=("DPM-Solver++", "multistep"), abstract=_abstract_sampler)
def dpm_solver_sampler(
    denoiser: Denoiser[X],
    schedule: Schedule,
    seed: Seed = 0,
    count: Count = 1,
    temperature: Temperature = 1.0,
    order: Annotated[int, Range(1, 2)] = 2,
    stream: Stream = "sampler",
    noise: NoiseSource | None = None,
) -> Generator[Progress, None, X]:
    """Samples by DPM-Solver++(2M), good in 10 to 25 steps. Raises Mismatch as `ancestral_sampler`.

    Ref: Lu et al. 2022b, Alg. 2.
    """
    _check(denoiser, schedule)
    start = _start(seed, count, temperature, stream, noise)
    return (yield from _shown(denoiser, samplers.dpm_solver(denoiser, schedule, start, order)))


def _abstract_inversion(
    denoiser: Denoiser[Any], schedule: Schedule, image: Any
) -> Generator[Progress, None, Any]:
    _check(denoiser, schedule)
    sampling = samplers.ddim_inversion(denoiser, _two_steps(schedule), image)
    total = len(schedule)
    while True:
        try:
            now = next(sampling)
        except StopIteration as stop:
            return stop.value
        yield Progress(now.done, total)


@node(category="sampling", words=("encode", "x_T"), abstract=_abstract_inversion)
def ddim_inversion(
    denoiser: Denoiser[X], schedule: Schedule, image: X
) -> Generator[Progress, None, X]:
    """The noise x_T from which DDIM with η = 0 returns about the picture. Ref: Dhariwal & Nichol 2021, App. F."""
    _check(denoiser, schedule)
    return (yield from _shown(denoiser, samplers.ddim_inversion(denoiser, schedule, image)))  # type: ignore[arg-type]


@node(category="sampling", words=("replay",))
def recorded_noise(file: NoiseSource) -> NoiseSource:
    """Noise read from a file: x_T, and what each visited step draws, the noisiest first."""
    return file
