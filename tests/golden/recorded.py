"""Sampling as the files of golden runs describe it: the reference's sampler by its name, on noise that may end early."""

import re
from collections.abc import Iterator

from torch import Tensor

from nodes.diffusion.denoisers import Denoiser
from nodes.diffusion.samplers import Now, Sampling, Start, ancestral, ddim
from nodes.diffusion.schedule import Schedule

ETA = re.compile(r"\beta\s*=\s*([\d.]+)")


def eta_of(sampler: str) -> float | None:
    """η of the DDIM sampler that a file names (`ddim_sample_loop eta=0.5`, 0 if it is not said), None for `p_sample_loop`.

    There may be remarks behind.
    """
    name, found = sampler.split()[0], ETA.search(sampler)
    assert name in ("p_sample_loop", "ddim_sample_loop"), f"unknown sampler '{sampler}'"
    return None if name == "p_sample_loop" else float(found[1]) if found else 0.0


def sampling(sampler: str, chain: Schedule, denoiser: Denoiser, start: Start) -> Sampling:
    """The sampler that a file names."""
    eta = eta_of(sampler)
    if eta is None:
        return ancestral(denoiser, chain, start)
    return ddim(denoiser, chain, start, eta)


def recorded(run: Sampling) -> Iterator[Now]:
    """The steps of a run, as far as its noise was recorded."""
    try:
        yield from run
    except IndexError as error:
        assert "was not recorded" in str(error)


def first_of(found: Tensor, expected: Tensor | None) -> Tensor:
    """As many steps of those found as the file has, if it has the first ones alone."""
    return found if expected is None or found.ndim != expected.ndim else found[: len(expected)]
