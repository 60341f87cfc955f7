"""Nodes about noise: the forward process, and noise from a file."""

from typing import Annotated, Any, Generic, NamedTuple

import torch
from torch import Tensor

from nodegraph import Doc, Mismatch, Range, node
from nodes.diffusion.denoisers import Denoiser
from nodes.diffusion.noise import INITIAL, Noise, NoiseSource, SeededNoise
from nodes.diffusion.process import q_sample
from nodes.diffusion.respacing import trained_chain
from nodes.diffusion.schedule import Schedule
from nodes.wires.generic import X
from nodes.wires.scalars import Seed, Stream


class Diffused(NamedTuple, Generic[X]):
    """Noisy pictures x_t, and the same with their place in the chain, for a sampler's `start`."""

    image: X
    start: Noise[X]


@node(words=("q_sample", "SDEdit", "img2img", "add noise", "strength"))
def forward_diffusion(
    image: X,
    schedule: Schedule,
    t: Annotated[
        list[int],
        Range(0),
        Doc("Trained timesteps; several give that many for each picture, row by row."),
    ] = [],  # noqa: B006
    strength: Annotated[
        float, Range(0, 1), Doc("Where there is no t: the share of the schedule's steps to undo.")
    ] = 0.6,
    seed: Seed = 0,
) -> Diffused[X]:
    """Pictures noised to given timesteps, x_t ~ q(x_t | x_0) [B·T, …], each with noise of its own.

    `start` goes into a sampler (SDEdit); it is for one timestep, the last where several are given. Raises Mismatch for a
    timestep outside of the chain. Ref: Ho et al. 2020, eq. 4; Meng et al. 2022 (SDEdit).
    """
    x0 = _tensor(image)
    steps = t or [_at_strength(schedule, strength)]
    for step in steps:
        if not 0 <= step < schedule.train_steps:
            raise Mismatch(f"t is within 0 and {schedule.train_steps - 1}, not {step}", port="t")
    rows = x0.repeat_interleave(len(steps), 0)
    noise = SeededNoise(seed, "forward").draw(range(len(rows)), INITIAL, tuple(rows.shape[1:]))
    timesteps = torch.tensor(steps).repeat(len(x0)).to(rows.device)
    x_t = q_sample(trained_chain(schedule), rows, timesteps, noise.to(rows.device))
    last = x_t[len(steps) - 1 :: len(steps)]
    return Diffused(x_t, Noise(last, steps[-1], *schedule.chain))  # type: ignore[arg-type]


def _tensor(image: Any) -> Tensor:
    if not isinstance(image, Tensor):
        raise Mismatch("embeddings are not noised, only pictures", port="image")
    return image


def _at_strength(schedule: Schedule, strength: float) -> int:
    """The visited timestep from which that share of the steps remains, at least one."""
    return int(schedule.timesteps[max(1, round(strength * len(schedule))) - 1])


@node(words=("x_T", "latent", "same noise"))
def initial_noise(
    denoiser: Denoiser[X],
    schedule: Schedule,
    seed: Seed = 0,
    count: Annotated[int, Range(1, 4096), Doc("Rows; one serves all rows of conditions.")] = 1,
    stream: Stream = "sampler",
) -> Noise[X]:
    """x_T for a sampler's `start`, standard normal [count, …].

    Samples that share an x_T differ only by their conditions.
    """
    x_t = SeededNoise(seed, stream).draw(range(count), INITIAL, denoiser.sample_shape)
    return Noise(x_t.to(denoiser.device), int(schedule.timesteps[-1]), *schedule.chain)


@node(words=("replay",))
def recorded_noise(file: NoiseSource) -> NoiseSource:
    """Noise read from a file: x_T, and what each visited step draws, the noisiest first."""
    return file
