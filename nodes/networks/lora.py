"""Low-rank adapters: the weights of a layer with a product of two small matrices added. Ref: Hu et al. 2022 (LoRA), §4.1."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nodes.networks.blocks import Convolution, Pointwise


@dataclass(frozen=True, slots=True)
class Factors:
    """W + alpha/r · up·down, for weights [D, C, …]: `down` [r, C, …], `up` [D, r, …], whose other sizes are 1."""

    down: Tensor
    up: Tensor
    alpha: float

    @property
    def rank(self) -> int:
        return len(self.down)

    @property
    def shape(self) -> torch.Size:
        """That of the weights."""
        return torch.Size((len(self.up), *self.down.shape[1:]))

    def difference(self) -> Tensor:
        """What is added to the weights, float32 [D, C, …]."""
        product = self.up.float().flatten(1) @ self.down.float().flatten(1)  # [D, C·…]
        return (self.alpha / self.rank * product).view(self.shape)


class LowRank(nn.Module):
    """A layer whose `weight` is its own and the product of its factors; its own is not trained."""

    base: nn.Parameter
    down: nn.Parameter
    up: nn.Parameter
    alpha: float

    @property
    def weight(self) -> Tensor:
        return self.base + self.factors().difference().to(self.base)

    def factors(self) -> Factors:
        """What is added, as it is now."""
        return Factors(self.down, self.up, self.alpha)


class LowRankLinear(LowRank, nn.Linear):  # pyright: ignore[reportIncompatibleVariableOverride]
    """A linear layer with an adapter."""


class LowRankConv2d(LowRank, nn.Conv2d):  # pyright: ignore[reportIncompatibleVariableOverride]
    """A convolution with an adapter."""


class LowRankConvolution(LowRank, Convolution):  # pyright: ignore[reportIncompatibleVariableOverride]
    """A 3×3 convolution with an adapter."""


class LowRankPointwise(LowRank, Pointwise):  # pyright: ignore[reportIncompatibleVariableOverride]
    """A 1×1 convolution over positions with an adapter."""


KINDS: dict[type[nn.Module], type[LowRank]] = {
    nn.Linear: LowRankLinear,
    nn.Conv2d: LowRankConv2d,
    Convolution: LowRankConvolution,
    Pointwise: LowRankPointwise,
}


def adapted(network: nn.Module, rank: int, alpha: float, words: Sequence[str] = ()) -> list[str]:
    """Give the linear layers and convolutions of a network adapters, which alone are trained from now on; their names.

    `words`: what names of layers hold, such as `qkv`; none: all. At first nothing is added: `up` is zero.
    """
    network.requires_grad_(False)
    chosen = [name for name, _ in _layers(network) if not words or any(w in name for w in words)]
    for name in chosen:
        _adapt(network.get_submodule(name), rank, alpha)
    return chosen


def _layers(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    return ((name, layer) for name, layer in network.named_modules() if type(layer) in KINDS)


def _adapt(layer: nn.Module, rank: int, alpha: float) -> None:
    base = layer._parameters.pop("weight")
    assert base is not None
    layer.__class__ = KINDS[type(layer)]
    assert isinstance(layer, LowRank)
    ones = (1,) * (base.dim() - 2)
    layer.base = base
    layer.down = nn.Parameter(torch.empty(rank, *base.shape[1:], dtype=base.dtype))
    layer.up = nn.Parameter(torch.zeros(len(base), rank, *ones, dtype=base.dtype))
    layer.alpha = alpha
    nn.init.kaiming_uniform_(layer.down, a=math.sqrt(5))


def factors_of(network: nn.Module) -> dict[str, Factors]:
    """The factors of a network's adapters, by the names of their layers."""
    found = {n: layer for n, layer in network.named_modules() if isinstance(layer, LowRank)}
    return {name: layer.factors() for name, layer in found.items()}
