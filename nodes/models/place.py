"""Where networks run: a device, a precision, and what is loaded there."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

import torch
from torch import nn

from nodegraph.library.port import Context, Precision
from nodegraph.models.residency import Residency
from nodes.models.compiling import compile_blocks

M = TypeVar("M", bound=nn.Module)
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a network runs, the precision of its weights there, and whether its blocks are compiled; `residency` holds what is
    loaded.

    On the device `meta` a network has shapes alone. Two places are equal whatever is loaded there.
    """

    device: str = "cpu"
    precision: Precision = "float32"
    compiled: bool = False
    residency: Residency = field(default_factory=Residency, compare=False, repr=False)

    @property
    def abstract(self) -> bool:
        return self.device == "meta"

    @property
    def dtype(self) -> torch.dtype:
        """What a network computes in."""
        return DTYPES[self.precision]

    def in_full(self) -> "Place":
        """The same place in float32, for what gradients are taken through: nothing is compiled."""
        return replace(self, precision="float32", compiled=False)

    def put(self, network: M) -> M:
        """The network itself, there, as one that is used and not trained: without dropout, batch statistics and gradients."""
        there = network.to(self.device, self.dtype, memory_format=self.memory_format)  # type: ignore[call-overload]
        there = there.eval().requires_grad_(False)
        if self.compiled and not self.abstract:
            compile_blocks(there, self.device)
        return there

    @property
    def memory_format(self) -> torch.memory_format:
        """How filters lie in memory; what convolutions make lies as their filters do.

        Channels last where that was faster: on a CPU 0.87 to 0.95 of the time of UNets (one thread, float32: shipped
        upsamplers 0.87 to 0.94, Karlo's layout at 64 px 0.91 to 0.95, at 256 px 0.88), 0.96 to 1.04 of the smallest at 32 px;
        on a card in half precision, whose matrix units read it so. In float32 a card was not measured.
        """
        half = self.precision != "float32"
        return torch.channels_last if self.device == "cpu" or half else torch.preserve_format

    def held(self, identity: str, size: int, load: Callable[[], M]) -> M:
        """The network of an identity, of `size` bytes there; loaded and put there if it is not held.

        Raises MemoryError where it exceeds the whole budget of the device.
        """
        return self.residency.get(identity, self.device, size, lambda: self.put(load()))


def place_of(context: Context) -> Place:
    """The place of a run."""
    return Place(context.device, context.precision, context.compiled, context.residency)
