"""Sampling as the files of golden runs describe it: the reference's sampler by its name, on noise that may end early."""

import re
from collections.abc import Iterator

from torch import Tensor

from nodes.diffusion.denoisers import Denoiser
from nodes.diffusion.samplers import Now, Sampling, Start, ancestral, ddim
from nodes.diffusion.schedule import Schedule

ETA = re.compile(r"\beta\s*=\s*([\d.]+)")


def sampling(sampler: str, chain: Schedule, denoiser: Denoiser, start: Start) -> Sampling:
    """The sampler that a file names: `p_sample_loop`, or `ddim_sample_loop eta=0.5`, perhaps with remarks behind."""
    name = sampler.split()[0]
    if name == "p_sample_loop":
        return ancestral(denoiser, chain, start)
    assert name == "ddim_sample_loop", f"unknown sampler '{sampler}'"
    eta = ETA.search(sampler)
    return ddim(denoiser, chain, start, float(eta[1]) if eta else 0.0)


def recorded(run: Sampling) -> Iterator[Now]:
    """The steps of a run, as far as its noise was recorded."""
    try:
        yield from run
    except IndexError as error:
        assert "was not recorded" in str(error)


def first_of(found: Tensor, expected: Tensor | None) -> Tensor:
    """As many steps of those found as the file has, if it has the first ones alone."""
    return found if expected is None or found.ndim != expected.ndim else found[: len(expected)]
