"""Blocks of networks made into machine code by torch.compile, where there is a compiler."""

from functools import cache

import torch
from torch import Tensor, nn

from nodegraph.base.devices import keep_compiled
from nodegraph.runtime.warn import warn
from nodes.networks.blocks import Attention, ResBlock
from nodes.networks.unet.network import UNet

VARIANTS = 512
"""Forms of one block that are compiled; torch alone gives up at the ninth. A UNet has a form for each pair of widths."""


def compile_blocks(network: nn.Module, device: str) -> None:
    """Let the blocks of a UNet be compiled when they are first called, for batches and pictures of any size.

    A block's code serves all blocks of its widths. What was compiled is kept for other processes, in the folder of the cache.
    Where nothing can be compiled, a warning says why, and the network stays as it is.
    """
    if not isinstance(network, UNet):
        return
    keep_compiled()
    if (reason := why_not(device)) is not None:
        warn(
            f"networks are not compiled: {reason}",
            hint="install a C++ compiler (g++ or clang) and Python's headers, or leave --compile out",
        )
        return
    import torch._dynamo as dynamo

    dynamo.config.recompile_limit = max(dynamo.config.recompile_limit, VARIANTS)
    for module in network.modules():
        if isinstance(module, ResBlock | Attention):
            module.compile(dynamic=True)


@cache
def why_not(device: str) -> str | None:
    """Why nothing can be compiled for a device, found out by compiling a sum; None where it can."""
    try:
        torch.compile(_sum)(torch.zeros(2, device=device))
    except Exception as error:
        return str(error).strip().partition("\n")[0] or type(error).__name__
    return None


def _sum(x: Tensor) -> Tensor:
    return x + 1
