"""Gradient checkpointing: blocks forget what they computed, and compute it again on the way back."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint

from nodes.models.place import Place
from nodes.networks import noised_clip
from nodes.networks.blocks import Attention, ResBlock
from nodes.networks.text import TextBlock
from nodes.training.networks import M, Network

BLOCKS = (ResBlock, Attention, TextBlock, noised_clip.Block)


@dataclass(frozen=True)
class Checkpointed(Network[M]):
    """Another network, whose blocks keep nothing for the way back but their inputs. Ref: Chen et al. 2016, §4."""

    inner: Network[M]
    config: Any
    place: Place

    def build(self) -> nn.Module:
        network = self.inner.build()
        for module in network.modules():
            if isinstance(module, BLOCKS):
                module.forward = partial(_again, module)  # type: ignore[method-assign]
        return network

    def describe(self) -> Mapping[str, Any]:
        return self.inner.describe()

    def origin(self) -> str:
        return self.inner.origin()

    def promise(self) -> M:
        return self.inner.promise()

    def hand_over(self, module: nn.Module, folder: Path, about: Mapping[str, Any]) -> M:
        return self.inner.hand_over(module, folder, about)


def _again(block: nn.Module, *given: Any, **named: Any) -> Any:
    """Call a block; where gradients are taken, what it computes inside is not kept."""
    return checkpoint(partial(type(block).forward, block), *given, use_reentrant=False, **named)
