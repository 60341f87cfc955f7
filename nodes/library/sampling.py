"""Samplers: generators that show every step. What is sampled follows the denoiser."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import Annotated, Any, NamedTuple

import torch
from torch import Tensor

from nodegraph import Doc, Mismatch, Progress, Range, node
from nodes.diffusion import samplers
from nodes.diffusion.denoisers import Denoiser
from nodes.diffusion.noise import Noise, NoiseSource, SeededNoise, SeedOfEach
from nodes.diffusion.respacing import started_at
from nodes.diffusion.samplers import Now, Sampling, Start
from nodes.diffusion.schedule import Schedule
from nodes.library.rows import at_port
from nodes.rows import share, spread
from nodes.wires.generic import X
from nodes.wires.pictures import Image
from nodes.wires.scalars import Seed, Stream

Count = Annotated[int, Range(1, 4096), Doc("Samples for each row of conditions.")]
Seeds = Annotated[
    Seed | list[Seed],
    Doc("One for all samples, or several: samples 0, 1, … of the first, then as many of the next."),
]
Temperature = Annotated[float, Range(0, 2), Doc("Scale of the first noise x_T.")]
Started = Annotated[
    Noise[X] | None,
    Doc("Noisy samples to go on from, in place of x_T: forward_diffusion's, ddim_inversion's."),
]

ROWS = ("denoiser", "seed", "start", "noise")


class Beginning(NamedTuple):
    """The schedule that is left, and where it starts."""

    schedule: Schedule
    start: Start


def _begin(
    denoiser: Denoiser[Any],
    schedule: Schedule,
    start: Noise[Any] | None,
    first: Start,
) -> Beginning:
    """`first`, or the samples of `start` with the schedule from their timestep on. Raises Mismatch for what does not fit."""
    _check(denoiser, schedule)
    if start is None:
        return Beginning(schedule, first)
    if tuple(start.x_t.shape[1:]) != denoiser.sample_shape:
        raise Mismatch(
            f"the start is {list(start.x_t.shape[1:])}, the denoiser makes {list(denoiser.sample_shape)}",
            port="start",
            hint="resize the picture before noise is added",
        )
    if start.chain != schedule.chain:
        raise Mismatch(
            f"the start was noised along a {start.kind} chain of {start.train_steps} steps, "
            f"the schedule is cut from a {schedule.kind} one of {schedule.train_steps}",
            port="start",
        )
    x_t = _for_rows(start.x_t, denoiser.rows).repeat_interleave(first.count, 0)
    return Beginning(started_at(schedule, start.timestep), replace(first, x_t=x_t))


def _for_rows(x_t: Tensor, rows: int) -> Tensor:
    """One sample for every row of conditions, or several for each."""
    if len(x_t) % rows == 0:
        return x_t
    with at_port("start"):
        return spread(x_t, rows, "samples to start from", "rows of conditions")


def _first(
    denoiser: Denoiser[Any],
    seed: int | list[int],
    count: int,
    temperature: float,
    stream: str,
    noise: NoiseSource | None,
    start: Noise[Any] | None = None,
) -> Start:
    rows = _rows(denoiser, start)
    samples = _samples(rows, seed, count)
    if not isinstance(seed, list):
        return Start(noise or SeededNoise(seed, stream), samples, temperature)
    own = SeedOfEach(tuple(seed), rows * samples // len(seed), stream)
    return Start(noise or own, samples, temperature)


def _rows(denoiser: Denoiser[Any], start: Noise[Any] | None) -> int:
    """Rows that samples are drawn for: those of the conditions, or of the start if it has more."""
    return max(denoiser.rows, 0 if start is None else len(start.x_t))


def _samples(rows: int, seed: int | list[int], count: int) -> int:
    """Samples for each row: `count`, of each seed that there is for it. Raises Mismatch."""
    if not isinstance(seed, list):
        return count
    with at_port("seed"):
        if len(seed) > rows:
            return count * share(rows, len(seed), "rows of conditions", "seeds")
        share(len(seed), rows, "seeds", "rows of conditions")
    return count


def _sampled(denoiser: Denoiser[Any], sampling: Sampling) -> Generator[Progress, None, Any]:
    """The steps of a sampler as progress; in the end what the sample stands for (a picture, an embedding)."""
    value = denoiser.root.network.value
    return value((yield from _shown(sampling, value)))


def _shown(
    sampling: Sampling, value: Callable[[Tensor], Any] | None = None
) -> Generator[Progress, None, Any]:
    """The steps of a sampler as progress, with what the predicted x_0 and x_t stand for to look at."""
    shown = value or _itself
    while True:
        try:
            now = next(sampling)
        except StopIteration as stop:
            return stop.value
        yield Progress(now.done, now.total, shown(now.x0), noisy=shown(now.x_t))


def _itself(value: Tensor) -> Tensor:
    return value


def _check(denoiser: Denoiser[Any], schedule: Schedule) -> None:
    trained = denoiser.trained
    if schedule.chain != trained.chain:
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
    return replace(
        schedule, betas=betas, timesteps=schedule.timesteps[ends], visits=(), products=None
    )


def _abstractly(sampling: Sampling, total: int) -> Generator[Progress, None, Any]:
    """What a sampler does to shapes: two steps, told as two of all."""
    while True:
        try:
            now = next(sampling)
        except StopIteration as stop:
            return stop.value
        yield Progress(now.done, total)


class _AnyNoise:
    """Noise of which only the shape is asked."""

    def draw(self, samples: Sequence[int], number: int, shape: tuple[int, ...]) -> Tensor:
        return torch.zeros(len(samples), *shape)


def _abstract_sampler(
    denoiser: Denoiser[Any],
    schedule: Schedule,
    seed: int | list[int],
    count: int,
    start: Noise[Any] | None,
) -> Generator[Progress, None, Any]:
    count = _samples(_rows(denoiser, start), seed, count)
    left, first = _begin(denoiser, schedule, start, Start(_AnyNoise(), count))
    sampling = samplers.ddim(denoiser, _two_steps(left), first)
    return denoiser.root.network.value((yield from _abstractly(sampling, len(left.visits))))


@node(words=("DDPM", "p_sample"), abstract=_abstract_sampler, rows=ROWS)
def ancestral_sampler(
    denoiser: Denoiser[X],
    schedule: Schedule,
    seed: Seeds = 0,
    count: Count = 1,
    temperature: Temperature = 1.0,
    start: Started[X] = None,
    stream: Stream = "sampler",
    noise: NoiseSource | None = None,
) -> Generator[Progress, None, X]:
    """Samples by ancestral sampling, `count` for each row of conditions. Ref: Ho et al. 2020, Alg. 2.

    Raises Mismatch when the schedule is of another process than the network's, or the start does not fit.
    """
    first = _first(denoiser, seed, count, temperature, stream, noise, start)
    sampling = samplers.ancestral(denoiser, *_begin(denoiser, schedule, start, first))
    return (yield from _sampled(denoiser, sampling))


@node(words=("deterministic",), abstract=_abstract_sampler, rows=ROWS)
def ddim_sampler(
    denoiser: Denoiser[X],
    schedule: Schedule,
    seed: Seeds = 0,
    count: Count = 1,
    temperature: Temperature = 1.0,
    eta: Annotated[float, Range(0, 1), Doc("0 = deterministic, 1 = as noisy as DDPM.")] = 0.0,
    start: Started[X] = None,
    stream: Stream = "sampler",
    noise: NoiseSource | None = None,
) -> Generator[Progress, None, X]:
    """Samples by DDIM. Ref: Song et al. 2021, eq. 12. Raises Mismatch as `ancestral_sampler`."""
    first = _first(denoiser, seed, count, temperature, stream, noise, start)
    sampling = samplers.ddim(denoiser, *_begin(denoiser, schedule, start, first), eta)
    return (yield from _sampled(denoiser, sampling))


@node(words=("DPM-Solver++", "multistep"), abstract=_abstract_sampler, rows=ROWS)
def dpm_solver_sampler(
    denoiser: Denoiser[X],
    schedule: Schedule,
    seed: Seeds = 0,
    count: Count = 1,
    temperature: Temperature = 1.0,
    order: Annotated[int, Range(1, 2)] = 2,
    start: Started[X] = None,
    stream: Stream = "sampler",
    noise: NoiseSource | None = None,
) -> Generator[Progress, None, X]:
    """Samples by DPM-Solver++(2M), good in 10 to 25 steps. Raises Mismatch as `ancestral_sampler`.

    Ref: Lu et al. 2022b, Alg. 2.
    """
    first = _first(denoiser, seed, count, temperature, stream, noise, start)
    sampling = samplers.dpm_solver(denoiser, *_begin(denoiser, schedule, start, first), order)
    return (yield from _sampled(denoiser, sampling))


class Strip(NamedTuple):
    """Pictures on the way: x_t, the x_0 predicted there, and the last pictures."""

    noisy: Image
    predicted: Image
    image: Image


Frames = Annotated[int, Range(1, 1000), Doc("Pictures of each sample, evenly spaced.")]


def _abstract_strip(
    denoiser: Denoiser[Any],
    schedule: Schedule,
    frames: int,
    seed: int | list[int],
    count: int,
    start: Noise[Any] | None,
) -> Generator[Progress, None, Strip]:
    image = yield from _abstract_sampler(denoiser, schedule, seed, count, start)
    strip = image.repeat_interleave(min(frames, len(schedule.visits)), 0)
    return Strip(strip, strip, image)


@node(words=("steps", "denoising", "trajectory"), abstract=_abstract_strip, rows=ROWS[:3])
def film_strip(
    denoiser: Denoiser[Image],
    schedule: Schedule,
    frames: Frames = 8,
    seed: Seeds = 0,
    count: Count = 1,
    start: Started[Image] = None,
    stream: Stream = "sampler",
) -> Generator[Progress, None, Strip]:
    """Intermediate results of ancestral sampling: x_t and the predicted x_0 after `frames` of its steps, the last among them.

    [B·F, 3, H, W], the frames of a sample beside each other: a `grid` of F columns shows a sample in each row. Raises Mismatch
    as `ancestral_sampler`. Ref: Ho et al. 2020, fig. 6.
    """
    first = _first(denoiser, seed, count, 1.0, stream, None, start)
    left, first = _begin(denoiser, schedule, start, first)
    total = len(left.visits)
    wanted = {round(total * (i + 1) / frames) for i in range(frames)}
    kept: list[Now] = []
    for now in samplers.ancestral(denoiser, left, first):
        kept += [now] if now.done in wanted else []
        yield Progress(now.done, now.total, now.x0, noisy=now.x_t)
    noisy, predicted = (_side_by_side([getattr(n, name) for n in kept]) for name in ("x_t", "x0"))
    return Strip(noisy, predicted, kept[-1].x_t)


def _side_by_side(frames: list[Tensor]) -> Tensor:
    """Frames of [B, …] each, as [B·F, …]."""
    return torch.stack(frames, 1).flatten(0, 1)


def _abstract_inversion(
    denoiser: Denoiser[Any], schedule: Schedule, image: Any
) -> Generator[Progress, None, Any]:
    _check_inversion(denoiser, schedule, image)
    sampling = samplers.ddim_inversion(denoiser, _two_steps(schedule), image)
    x_t = yield from _abstractly(sampling, len(schedule))
    return _last_of(schedule, x_t)


def _check_inversion(denoiser: Denoiser[Any], schedule: Schedule, image: Any) -> None:
    _check(denoiser, schedule)
    if not isinstance(image, Tensor):
        raise Mismatch("embeddings are not inverted, only pictures", port="image")
    if schedule.jumps:
        raise Mismatch("a walk with jumps cannot be inverted", port="schedule")


def _last_of(schedule: Schedule, x_t: Tensor) -> Noise[Any]:
    return Noise(x_t, int(schedule.timesteps[-1]), *schedule.chain)


@node(words=("encode", "x_T"), abstract=_abstract_inversion)
def ddim_inversion(
    denoiser: Denoiser[X], schedule: Schedule, image: X
) -> Generator[Progress, None, Noise[X]]:
    """The noise x_T from which DDIM with η = 0 returns about the picture: wire it into a sampler's `start`.

    Raises Mismatch as `ancestral_sampler`, and for a schedule that jumps. Ref: Dhariwal & Nichol 2021, App. F.
    """
    _check_inversion(denoiser, schedule, image)
    x_t = yield from _shown(samplers.ddim_inversion(denoiser, schedule, image))  # type: ignore[arg-type]
    return _last_of(schedule, x_t)
