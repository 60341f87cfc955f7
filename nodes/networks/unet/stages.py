"""The encoder that UNets and classifiers share: levels of residual blocks, with attention at some of them."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from torch import Tensor, nn

from nodes.networks.blocks import (
    Attention,
    Downsample,
    ResBlock,
    Upsample,
    timestep_embedding,
)
from nodes.networks.config import UNetConfig

Contexts = Iterator[tuple[Tensor | None, Tensor | None]]
"""Keys and values of the context tokens [B, L, 2C] for one attention after the other, with their bias [B, L], or None."""


def time_waves(config: UNetConfig, t: Tensor) -> Tensor:
    """What a network makes of timesteps [B] before all else, float32 [B, model_channels].

    Ref: Ho et al. 2020, App. B; chains of other lengths than 1000 may be seen on the scale of one of 1000 steps.
    """
    seen = t.float() * (1000.0 / config.trained.train_steps) if config.rescaled_timesteps else t
    return timestep_embedding(seen, config.model_channels)


class Stage(nn.ModuleList):
    """Layers that run one after the other, each given what it takes; each attention takes the next of `contexts`."""

    def forward(self, h: Tensor, embedding: Tensor, contexts: Contexts) -> Tensor:
        for layer in self:
            if isinstance(layer, ResBlock):
                h = layer(h, embedding)
            elif isinstance(layer, Attention):
                h = layer(h, *next(contexts))
            else:
                h = layer(h)
        return h


@dataclass(slots=True)
class Builder:
    """Walks the levels of a network and remembers where it is: channels, downsampling, widths of the skips."""

    config: UNetConfig
    channels: int
    downsampling: int = 1
    skips: list[int] = field(default_factory=list)

    def block(self, incoming: int, outgoing: int, resample: float = 1.0) -> ResBlock:
        c = self.config
        self.channels = outgoing
        options = (c.embedding_width, c.scale_shift_norm, c.dropout, resample, c.groups)
        return ResBlock(incoming, outgoing, *options)

    def attention(self, heads: int) -> Attention:
        c = self.config
        heads = self.channels // c.head_channels if c.head_channels else heads
        return Attention(
            self.channels, heads, c.context_width, c.qkv_order == "head_major", c.groups
        )

    def level(self, incoming: int, outgoing: int, heads: int) -> list[nn.Module]:
        layers: list[nn.Module] = [self.block(incoming, outgoing)]
        if self.downsampling in self.config.attention:
            layers.append(self.attention(heads))
        return layers

    def down(self) -> nn.Module:
        self.downsampling *= 2
        if self.config.resample_in_blocks:
            return self.block(self.channels, self.channels, 0.5)
        return Downsample(self.channels) if self.config.resample_convolutions else nn.AvgPool2d(2)

    def up(self) -> nn.Module:
        self.downsampling //= 2
        if self.config.resample_in_blocks:
            return self.block(self.channels, self.channels, 2.0)
        return (
            Upsample(self.channels)
            if self.config.resample_convolutions
            else nn.Upsample(scale_factor=2.0)
        )

    def encoder(self, incoming: int) -> nn.ModuleList:
        """The way down: a first convolution, then the levels; the width of each stage's output is in `skips`."""
        widths = self.config.widths
        stages = [Stage([nn.Conv2d(incoming, widths[0], 3, padding=1)])]
        self.skips = [widths[0]]
        for number, width in enumerate(widths):
            for _ in range(self.config.blocks):
                stages.append(Stage(self.level(self.channels, width, self.config.heads)))
                self.skips.append(width)
            if number < len(widths) - 1:
                stages.append(Stage([self.down()]))
                self.skips.append(width)
        return nn.ModuleList(stages)

    def middle(self) -> Stage:
        """Two blocks at the lowest resolution, with an attention between them where the configuration has one."""
        width = self.channels
        first = self.block(width, width)
        between = [self.attention(self.config.heads)] if self.config.middle_attention else []
        return Stage([first, *between, self.block(width, width)])

    def decoder(self) -> nn.ModuleList:
        """The way up, each stage joined by a skip."""
        heads = self.config.heads_upsample or self.config.heads
        stages: list[Stage] = []
        for number, width in reversed(list(enumerate(self.config.widths))):
            for block in range(self.config.blocks + 1):
                layers = self.level(self.channels + self.skips.pop(), width, heads)
                if number and block == self.config.blocks:
                    layers.append(self.up())
                stages.append(Stage(layers))
        return nn.ModuleList(stages)
