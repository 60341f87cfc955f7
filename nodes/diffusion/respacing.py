"""Respacing: visit fewer steps of a trained chain, with betas that keep the same ᾱ at the steps that remain."""

from collections.abc import Sequence

import torch

from nodes.diffusion.schedule import Schedule

FAST27 = (10, 10, 3, 2, 2)


def spaced_timesteps(train_steps: int, spec: str | int | Sequence[int]) -> list[int]:
    """Trained timesteps to visit, rising.

    `27`: 27 even steps; `10,10,3,2,2` (or a list): that many in each equal section of the chain; `ddim50`: every k-th step with
    exactly 50; `fast27`: GLIDE's upsampler, sections 10,10,3,2,2 with 999 replaced by 997; an empty text: all steps.
    Raises ValueError when the chain cannot be cut so. Ref: Nichol & Dhariwal 2021, §4; Song et al. 2021, App. D.3.
    """
    if not isinstance(spec, str | int):
        return _sections(train_steps, list(spec))
    text = str(spec).strip()
    if text == "":
        return list(range(train_steps))
    if text == "fast27":
        return _fast27(train_steps)
    if text.startswith("ddim"):
        return _strided(train_steps, _count(text.removeprefix("ddim"), text))
    return _sections(train_steps, [_count(part, text) for part in text.split(",")])


def respace(trained: Schedule, spec: str | int | Sequence[int]) -> Schedule:
    """The trained chain at the steps of `spec`. Raises ValueError when it is respaced already, or cannot be cut so."""
    if len(trained) != trained.train_steps:
        raise ValueError(
            f"the schedule is respaced already, to {len(trained)} of {trained.train_steps} steps"
        )
    return visiting(trained, spaced_timesteps(trained.train_steps, spec))


def visiting(trained: Schedule, timesteps: Sequence[int]) -> Schedule:
    """The trained chain at those timesteps, rising, with betas that keep ᾱ. Ref: Nichol & Dhariwal 2021, §4."""
    kept = torch.tensor(list(timesteps))
    products = trained.alphas_cumprod if trained.products is None else trained.products
    products = products[kept]
    before = torch.cat([products.new_ones(1), products[:-1]])
    betas = (1 - products / before).double()
    # Of a step that follows the one before it in the trained chain β is known; in float32 the quotient is another.
    follows = torch.diff(kept, prepend=kept.new_tensor([-1])) == 1
    betas = torch.where(follows, trained.betas[kept], betas)
    given = None if trained.products is None else products
    return Schedule(trained.kind, betas, kept, trained.train_steps, given)


def _count(part: str, whole: str) -> int:
    if not part.strip().isdecimal() or int(part) < 1:
        raise ValueError(
            f"steps '{whole}' are neither a number, nor numbers with commas, nor ddimN, nor fast27"
        )
    return int(part)


def _fast27(train_steps: int) -> list[int]:
    if train_steps != 1000:
        raise ValueError(
            f"fast27 is defined for a chain of 1000 steps, not {train_steps}; use '10,10,3,2,2'"
        )
    return [997 if t == 999 else t for t in _sections(train_steps, list(FAST27))]


def _strided(train_steps: int, wanted: int) -> list[int]:
    for stride in range(1, train_steps):
        if len(range(0, train_steps, stride)) == wanted:
            return list(range(0, train_steps, stride))
    raise ValueError(
        f"no whole stride visits exactly {wanted} of {train_steps} steps; use '{wanted}'"
    )


def _sections(train_steps: int, counts: list[int]) -> list[int]:
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
        # Positions are summed up, and rounded half to even, as the published samplers were.
        position = 0.0
        for _ in range(count):
            steps.append(start + round(position))
            position += stride
        start += length
    return steps
