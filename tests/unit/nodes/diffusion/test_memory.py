"""Batches beyond the memory of a network are run in parts, and are the same."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny import Models, drawn
from torch import Tensor

from nodes.diffusion.denoisers import DiffusionNetwork, Leaf
from nodes.library.conditioning import label
from nodes.library.denoising import unet_denoiser
from nodes.library.sampling import ancestral_sampler
from nodes.library.schedules import noise_scheduler
from nodes.models.unet import UNet


def small(network: DiffusionNetwork, rows: int, calls: list[int], error: Any) -> DiffusionNetwork:
    """The network with memory for so many rows."""

    def call(x_t: Tensor, t: Tensor, **conditions: Tensor) -> Tensor:
        calls.append(len(x_t))
        if len(x_t) > rows:
            raise error("no room")
        assert all(len(value) == len(x_t) == len(t) for value in conditions.values())
        return network.call(x_t, t, **conditions)

    return replace(network, call=call)


def cpu_allocator(_: str) -> RuntimeError:
    """What torch raises where the CPU's memory does not suffice."""
    with pytest.raises(RuntimeError) as raised:
        torch.empty(2**60)
    return raised.value


@pytest.mark.parametrize("error", [MemoryError, torch.OutOfMemoryError, cpu_allocator])
def test_a_count_beyond_memory_is_run_in_parts(models: Models, error: Any) -> None:
    unet = models(UNet, "adm/diffusion")
    whole = unet_denoiser(unet, [label([3, 5])])
    assert isinstance(whole, Leaf)
    schedule, calls = noise_scheduler(unet, steps=2), list[int]()
    halved = replace(whole, network=small(whole.network, 3, calls, error))
    expected = drawn(ancestral_sampler(whole, schedule, seed=4, count=5))
    found = drawn(ancestral_sampler(halved, schedule, seed=4, count=5))
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)
    assert calls == [10, 5, 3, 3, 3, 1, 3, 3, 3, 1]


@pytest.mark.parametrize(("error", "asked"), [(MemoryError, [3, 2, 1]), (RuntimeError, [3])])
def test_no_memory_for_one_row_is_an_error_and_so_is_another_at_once(
    models: Models, error: Any, asked: list[int]
) -> None:
    unet = models(UNet, "adm/diffusion")
    whole, calls = unet_denoiser(unet, [label([3])]), list[int]()
    assert isinstance(whole, Leaf)
    none = replace(whole, network=small(whole.network, 0, calls, error))
    with pytest.raises(error, match="no room"):
        drawn(ancestral_sampler(none, noise_scheduler(unet, steps=2), count=3))
    assert calls == asked
