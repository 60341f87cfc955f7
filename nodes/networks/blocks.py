"""Building blocks of the UNet. Arithmetic as in Dhariwal & Nichol 2021 and Nichol et al. 2022 (GLIDE)."""

import math
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nodes.networks import winograd

GROUPS = 32
M = TypeVar("M", bound=nn.Module)


def timestep_embedding(t: Tensor, width: int) -> Tensor:
    """[cos | sin] of t at geometric frequencies 1 … 1/10,000, [B] → float32 [B, width]. Ref: Vaswani et al. 2017, §3.5."""
    half = width // 2
    index = torch.arange(half, dtype=torch.float32, device=t.device)
    angles = t.float()[:, None] * torch.exp(-math.log(10_000) * index / half)
    waves = torch.cat([angles.cos(), angles.sin()], -1)
    return F.pad(waves, (0, width % 2))


class GroupNorm(nn.GroupNorm):
    """Group normalisation, computed in float32 whatever the dtype of x."""

    def __init__(self, channels: int, groups: int = GROUPS) -> None:
        super().__init__(groups, channels, eps=1e-5)

    def forward(self, input: Tensor) -> Tensor:
        x = input
        if x.dtype == self.weight.dtype:
            return super().forward(x)
        weight, bias = self.weight.float(), self.bias.float()
        return F.group_norm(x.float(), self.num_groups, weight, bias, self.eps).to(x.dtype)


class Convolution(nn.Conv2d):
    """A 3×3 convolution that leaves pixels as many as they are, by the way that is soonest."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__(channels, out_channels, 3, padding=1)

    def forward(self, input: Tensor) -> Tensor:
        if self.bias is not None and winograd.pays(input, self.weight):
            return winograd.convolved(input, self.weight, self.bias)
        return super().forward(input)


class Downsample(nn.Module):
    """A 3×3 convolution with stride 2."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.strided = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.strided(x)  # [B, C, H/2, W/2]


class Upsample(nn.Module):
    """Nearest neighbours, then a 3×3 convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = Convolution(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))  # [B, C, 2H, 2W]


class ResBlock(nn.Module):
    """Residual block under an embedding; `resample` of 2 or 0.5 resizes before the first convolution."""

    def __init__(
        self,
        channels: int,
        out_channels: int,
        embedding_width: int,
        scale_shift: bool,
        dropout: float = 0.0,
        resample: float = 1.0,
        groups: int = GROUPS,
    ) -> None:
        super().__init__()
        self.resample = resample
        self.scale_shift = scale_shift
        self.norm_in = GroupNorm(channels, groups)
        self.conv_in = Convolution(channels, out_channels)
        self.embedding = nn.Linear(embedding_width, out_channels * (2 if scale_shift else 1))
        self.norm_out = GroupNorm(out_channels, groups)
        self.dropout = nn.Dropout(dropout)
        self.conv_out = zeroed(Convolution(out_channels, out_channels))
        self.skip = (
            nn.Identity() if channels == out_channels else nn.Conv2d(channels, out_channels, 1)
        )

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        h = self.conv_in(resized(silu(self.norm_in(x)), self.resample))  # [B, D, H', W']
        x = resized(x, self.resample)  # [B, C, H', W']
        e = self.embedding(F.silu(embedding))[:, :, None, None].to(h.dtype)  # [B, D or 2D, 1, 1]
        h = self._modulated(h, e)  # [B, D, H', W']
        return self.conv_out(self.dropout(silu(h))).add_(self.skip(x))  # [B, D, H', W']

    def _modulated(self, h: Tensor, e: Tensor) -> Tensor:
        if not self.scale_shift:
            return self.norm_out(h + e)
        scale, shift = e.chunk(2, 1)
        return torch.addcmul(shift, self.norm_out(h), 1 + scale)


def silu(x: Tensor) -> Tensor:
    """SiLU of what nobody else reads: in its place where no gradient needs x."""
    return F.silu(x, inplace=not x.requires_grad)


def resized(x: Tensor, factor: float) -> Tensor:
    """Nearest neighbours up, average pooling down, by 2."""
    if factor == 1.0:
        return x
    return F.interpolate(x, scale_factor=2.0, mode="nearest") if factor > 1 else F.avg_pool2d(x, 2)


def zeroed(module: M) -> M:
    """The module with all its parameters at zero, so that a residual branch starts as nothing."""
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    return module


class Pointwise(nn.Conv1d):
    """A 1×1 convolution over positions that stand before channels, [B, N, C] → [B, N, D].

    Published weights have the shape of a convolution, [D, C, 1]; a linear layer is what a CPU computes fastest.
    """

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__(channels, out_channels, 1)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight[..., 0], self.bias)


class Attention(nn.Module):
    """Self-attention over pixels, whose keys and values are joined by those of context tokens, under one softmax.

    Those of the tokens do not change over the steps of a run: `context_kv` of [B, L, W] gives them, [B, L, 2C].
    `bias` [B, L] is added to their logits: 0 where there is a token, else −∞; without it all are seen.
    """

    def __init__(
        self,
        channels: int,
        heads: int,
        context_width: int | None,
        head_major: bool,
        groups: int = GROUPS,
    ) -> None:
        super().__init__()
        if channels % heads:
            raise ValueError(f"{channels} channels cannot be divided among {heads} attention heads")
        self.heads = heads
        self.head_major = head_major
        self.norm = GroupNorm(channels, groups)
        self.qkv = Pointwise(channels, 3 * channels)
        self.context_kv = Pointwise(context_width, 2 * channels) if context_width else None
        self.proj = zeroed(Pointwise(channels, channels))

    def forward(
        self, x: Tensor, context: Tensor | None = None, bias: Tensor | None = None
    ) -> Tensor:
        pixels = self.norm(x).flatten(2).transpose(1, 2)  # [B, N, C]
        h = multi_head_attention(self.qkv(pixels), self.heads, self.head_major, context, bias)
        return x + self.proj(h).transpose(1, 2).reshape(x.shape)  # [B, C, H, W]


def multi_head_attention(
    qkv: Tensor,
    heads: int,
    head_major: bool,
    context_kv: Tensor | None = None,
    bias: Tensor | None = None,
) -> Tensor:
    """What N pixels gather from each other and from L tokens, [B, N, 3C] and [B, L, 2C] → [B, N, C].

    Channels are (q, k, v) of one head after the other if `head_major`, else q of all heads, then k, then v. `bias` [B, L]
    is added to the logits of tokens.
    """
    q, k, v = split_heads(qkv, 3, heads, head_major)  # each [B, heads, N, d]
    added = None
    if context_kv is not None:
        key, value = split_heads(context_kv.to(qkv.dtype), 2, heads, head_major)
        k, v = torch.cat([key, k], 2), torch.cat([value, v], 2)  # [B, heads, L + N, d]
        if bias is not None:
            added = F.pad(bias, (0, qkv.shape[1]))[:, None, None]  # [B, 1, 1, L + N]
    joined = F.scaled_dot_product_attention(q, k, v, added)  # [B, heads, N, d]
    return joined.transpose(1, 2).flatten(2)


def split_heads(joined: Tensor, parts: int, heads: int, head_major: bool) -> tuple[Tensor, ...]:
    """The parts of [B, N, parts·C], each [B, heads, N, d]."""
    split = (heads, parts) if head_major else (parts, heads)
    each = joined.unflatten(2, (*split, -1)).unbind(3 if head_major else 2)  # each [B, N, heads, d]
    return tuple(part.transpose(1, 2) for part in each)
