"""Respacing: visit fewer steps of a trained chain, with betas that keep the same ᾱ at the steps that remain."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise, repeat
from typing import cast

import torch
from torch import Tensor

from nodes.diffusion.schedule import Kind, Schedule, schedule
from nodes.diffusion.steps import FAST, STRIDED, TRAILING, canonical_steps

FAST27 = (10, 10, 3, 2, 2)
Positions = Callable[[float, int], Iterable[float]]
"""Where the steps of a section lie, from its stride and their count."""


def summed(stride: float, count: int) -> Iterable[float]:
    """Strides added up, as OpenAI's samplers do: what is lost in rounding adds up too."""
    return accumulate(repeat(stride, count - 1), initial=0.0)


def multiplied(stride: float, count: int) -> Iterable[float]:
    """Multiples of the stride, as diffusers' scheduler of unCLIP takes them."""
    return (number * stride for number in range(count))


def spaced_timesteps(
    train_steps: int, spec: str | int | Sequence[int], positions: Positions = summed
) -> list[int]:
    """Trained timesteps to visit, rising.

    `27`: 27 even steps; `10,10,3,2,2` (or a list): that many in each equal section of the chain; `ddim50`: every k-th step with
    exactly 50; `fast27`: GLIDE's upsampler, sections 10,10,3,2,2 with the last step (999) taken two earlier (997); `trailing8`:
    the last timestep of each of 8 equal sections, so that none of a few steps is spent where hardly any noise is left; an empty
    text: all steps. Raises ValueError when the chain cannot be cut so. Ref: Nichol & Dhariwal 2021, §4; Song et al. 2021,
    App. D.3; Lin et al. 2023, §3.3.
    """
    if not isinstance(spec, str | int):
        return _sections(train_steps, list(spec), positions)
    text = canonical_steps(spec)
    if text == "":
        return list(range(train_steps))
    if text == FAST:
        *steps, last = _sections(train_steps, list(FAST27), positions)
        return [*steps, last - 2]
    if text.startswith(STRIDED):
        return _strided(train_steps, int(text.removeprefix(STRIDED)))
    if text.startswith(TRAILING):
        return _trailing(train_steps, int(text.removeprefix(TRAILING)))
    return _sections(train_steps, [int(part) for part in text.split(",")], positions)


def respace(trained: Schedule, spec: str | int | Sequence[int]) -> Schedule:
    """The trained chain at the steps of `spec`, rounded as the scheduler of its kind rounds them.

    Raises ValueError when it is respaced already, or cannot be cut so.
    """
    if len(trained) != trained.train_steps:
        raise ValueError(
            f"the schedule is respaced already, to {len(trained)} of {trained.train_steps} steps"
        )
    positions = multiplied if trained.kind == "cosine_float32" else summed
    return visiting(trained, torch.tensor(spaced_timesteps(trained.train_steps, spec, positions)))


def visiting(trained: Schedule, kept: Tensor, visits: tuple[int, ...] = ()) -> Schedule:
    """The trained chain at rising timesteps [T], with betas that keep its ᾱ there. Ref: Nichol & Dhariwal 2021, §4."""
    products = trained.alphas_cumprod if trained.products is None else trained.products
    products = products[kept]
    before = torch.cat([products.new_ones(1), products[:-1]])
    betas = (1 - products / before).double()
    # Of a step that follows the one before it in the trained chain β is known; in float32 the quotient is another.
    follows = torch.diff(kept, prepend=kept.new_tensor([-1])) == 1
    betas = torch.where(follows, trained.betas[kept], betas)
    given = None if trained.products is None else products
    return Schedule(trained.kind, betas, kept, trained.train_steps, visits, given)


def trained_chain(spaced: Schedule) -> Schedule:
    """The chain that a schedule was cut from. Raises ValueError where betas were given that have no name."""
    if len(spaced) == spaced.train_steps:
        return replace(spaced, visits=())
    return schedule(cast(Kind, spaced.kind), spaced.train_steps)


def started_at(spaced: Schedule, timestep: int) -> Schedule:
    """What is left of a schedule for a sample at that trained timestep, which is its first step, visited before or not.

    So nothing of the sample's noise level is rounded. Raises ValueError for a timestep outside of the chain.
    """
    if not 0 <= timestep < spaced.train_steps:
        raise ValueError(f"timestep {timestep} is not in a chain of {spaced.train_steps} steps")
    below = spaced.timesteps[spaced.timesteps < timestep]
    first = len(below)
    visited = bool((spaced.timesteps == timestep).any())
    rest = tuple(step for step in spaced.visits if step < first + visited)
    visits = rest if visited else (first, *rest)
    kept = torch.cat([below, below.new_tensor([timestep])])
    return visiting(trained_chain(spaced), kept, visits)


def with_resampling(spaced: Schedule, jump: int, resamples: int) -> Schedule:
    """The schedule with every stretch of `jump` steps walked `resamples` times, by jumps back up.

    Nothing jumps to above the first step. Raises ValueError for a schedule that jumps already. Ref: Lugmayr et al. 2022, §4.2.
    """
    if spaced.jumps:
        raise ValueError("the schedule jumps already")
    visits: list[int] = []
    for step in spaced.visits:
        if step % jump == 0 and step + jump < len(spaced):
            visits += [*range(step + jump, step, -1)] * (resamples - 1)
        visits.append(step)
    return replace(spaced, visits=tuple(visits))


def refined(spaced: Schedule, parts: int) -> Schedule:
    """A schedule with every step cut into `parts` as equal ones: its k-th step is the last of the k-th `parts` of them.

    Raises ValueError where two steps lie too near to each other.
    """
    ends = [int(step) for step in spaced.timesteps]
    cut = [
        low + round((high - low) * part / parts)
        for low, high in pairwise([-1, *ends])
        for part in range(1, parts + 1)
    ]
    if len(set(cut)) < len(cut):
        raise ValueError(f"steps that lie so near to each other cannot be cut into {parts}")
    return visiting(trained_chain(spaced), torch.tensor(cut))


def _trailing(train_steps: int, count: int) -> list[int]:
    if count > train_steps:
        raise ValueError(f"{count} steps are more than the {train_steps} that were trained")
    return [round((number + 1) * train_steps / count) - 1 for number in range(count)]


def _strided(train_steps: int, wanted: int) -> list[int]:
    for stride in range(1, train_steps):
        if len(range(0, train_steps, stride)) == wanted:
            return list(range(0, train_steps, stride))
    raise ValueError(
        f"no whole stride visits exactly {wanted} of {train_steps} steps; use '{wanted}'"
    )


def _sections(train_steps: int, counts: list[int], positions: Positions) -> list[int]:
    size, extra = divmod(train_steps, len(counts))
    steps: list[int] = []
    start = 0
    for number, count in enumerate(counts):
        length = size + (number < extra)
        if length < count:
            raise ValueError(
                f"a section of {length} steps cannot be divided into {count}; ask for fewer steps"
            )
        stride = 1.0 if count <= 1 else (length - 1) / (count - 1)
        # Rounded half to even, as in the published samplers.
        steps += [start + round(position) for position in positions(stride, count)]
        start += length
    return steps
