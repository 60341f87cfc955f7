"""The classifier of noisy pictures: the encoder of a UNet, and a head. Ref: Dhariwal & Nichol 2021, §4."""

from itertools import repeat

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nodes.networks.blocks import GroupNorm, Pointwise, multi_head_attention, zeroed
from nodes.networks.config import ClassifierConfig
from nodes.networks.unet.stages import Builder, time_waves

HIDDEN = 2048


class AttentionPool(nn.Module):
    """One attention from the mean of all pixels, [B, C, H, W] → [B, out]. Ref: Radford et al. 2021 (CLIP), §2.4."""

    def __init__(self, pixels: int, channels: int, head_channels: int, out: int) -> None:
        super().__init__()
        self.heads = channels // head_channels
        self.positional_embedding = nn.Parameter(torch.randn(channels, pixels + 1) / channels**0.5)
        self.pool_qkv = Pointwise(channels, 3 * channels)
        self.pool_proj = Pointwise(channels, out)

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(2)  # [B, C, N]
        tokens = torch.cat([flat.mean(-1, keepdim=True), flat], -1)  # [B, C, 1 + N]
        tokens = (tokens + self.positional_embedding.to(x.dtype)).transpose(1, 2)  # [B, 1 + N, C]
        h = multi_head_attention(self.pool_qkv(tokens), self.heads, head_major=False)
        return self.pool_proj(h)[:, 0]  # [B, out]


class Classifier(nn.Module):
    """Logits [B, classes] of noisy pictures x_t [B, C, H, W] at trained timesteps t [B]."""

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__()
        self.config = config
        trunk = config.trunk
        width = trunk.embedding_width
        self.time = nn.Sequential(
            nn.Linear(trunk.model_channels, width), nn.SiLU(), nn.Linear(width, width)
        )
        builder = Builder(trunk, trunk.widths[0])
        self.inputs = builder.encoder(trunk.channels * trunk.fold**2)
        self.middle = builder.middle()
        self.head = _head(config, builder)

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        trunk = self.config.trunk
        dtype = next(self.time.parameters()).dtype
        h = F.pixel_unshuffle(x_t.to(dtype), trunk.fold)  # [B, C·k², H/k, W/k]
        e = self.time(time_waves(trunk, t).to(dtype))  # [B, E]
        features: list[Tensor] = []
        for stage in (*self.inputs, self.middle):
            h = stage(h, e, repeat((None, None)))
            features.append(h.mean((2, 3)))
        spatial = self.config.pool.startswith("spatial")
        return self.head(torch.cat(features, 1) if spatial else h).float()  # [B, classes]


def _head(config: ClassifierConfig, builder: Builder) -> nn.Sequential:
    channels, classes = builder.channels, config.classes
    if config.pool == "attention":
        side = config.trunk.image_size // config.trunk.fold // builder.downsampling
        pool = AttentionPool(side**2, channels, config.trunk.head_channels or channels, classes)
        return nn.Sequential(GroupNorm(channels), nn.SiLU(), pool)
    if config.pool == "adaptive":
        last = zeroed(nn.Conv2d(channels, classes, 1))
        mean = nn.AdaptiveAvgPool2d((1, 1))
        return nn.Sequential(GroupNorm(channels), nn.SiLU(), mean, last, nn.Flatten())
    first = nn.Linear(sum(builder.skips) + channels, HIDDEN)
    if config.pool == "spatial":
        return nn.Sequential(first, nn.ReLU(), nn.Linear(HIDDEN, classes))
    return nn.Sequential(first, GroupNorm(HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, classes))
