"""Building blocks of the UNet. Arithmetic as in Dhariwal & Nichol 2021 and Nichol et al. 2022 (GLIDE)."""

import math
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

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
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

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
        self.conv_in = nn.Conv2d(channels, out_channels, 3, padding=1)
        self.embedding = nn.Linear(embedding_width, out_channels * (2 if scale_shift else 1))
        self.norm_out = GroupNorm(out_channels, groups)
        self.dropout = nn.Dropout(dropout)
        self.conv_out = zeroed(nn.Conv2d(out_channels, out_channels, 3, padding=1))
        self.skip = (
            nn.Identity() if channels == out_channels else nn.Conv2d(channels, out_channels, 1)
        )

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        h = self.conv_in(resized(F.silu(self.norm_in(x)), self.resample))  # [B, D, H', W']
        x = resized(x, self.resample)  # [B, C, H', W']
        e = self.embedding(F.silu(embedding))[:, :, None, None].to(h.dtype)  # [B, D or 2D, 1, 1]
        h = self._modulated(h, e)  # [B, D, H', W']
        return self.skip(x) + self.conv_out(self.dropout(F.silu(h)))  # [B, D, H', W']

    def _modulated(self, h: Tensor, e: Tensor) -> Tensor:
        if not self.scale_shift:
            return self.norm_out(h + e)
        scale, shift = e.chunk(2, 1)
        return self.norm_out(h) * (1 + scale) + shift


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


class Attention(nn.Module):
    """Self-attention over pixels, whose keys and values are joined by those of context tokens, under one softmax.

    Those of the tokens do not change over the steps of a run: `context_kv` of [B, W, L] gives them, [B, 2C, L].
    `mask` [B, L] is True where there is a token; without it all are seen.
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
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.context_kv = nn.Conv1d(context_width, 2 * channels, 1) if context_width else None
        self.proj = zeroed(nn.Conv1d(channels, channels, 1))

    def forward(
        self, x: Tensor, context: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        b, c, height, width = x.shape
        pixels = x.reshape(b, c, -1)  # [B, C, N]
        qkv = self.qkv(self.norm(pixels))  # [B, 3C, N]
        h = multi_head_attention(qkv, self.heads, self.head_major, context, mask)  # [B, C, N]
        return x + self.proj(h).reshape(b, c, height, width)  # [B, C, H, W]


def multi_head_attention(
    qkv: Tensor,
    heads: int,
    head_major: bool,
    context_kv: Tensor | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """What N pixels gather from each other and from L tokens, [B, 3C, N] and [B, 2C, L] → [B, C, N].

    Channels are (q, k, v) of one head after the other if `head_major`, else q of all heads, then k, then v. Tokens where
    `mask` [B, L] is False are not seen.
    """
    q, k, v = split_heads(qkv, 3, heads, head_major)  # each [B·heads, d, N]
    if context_kv is not None:
        key, value = split_heads(context_kv.to(qkv.dtype), 2, heads, head_major)
        k, v = torch.cat([key, k], -1), torch.cat([value, v], -1)  # [B·heads, d, L + N]
        if mask is not None:  # [B·heads, L + N]
            mask = F.pad(mask, (0, qkv.shape[2]), value=True).repeat_interleave(heads, 0)
    return attend(q, k, v, mask).reshape(qkv.shape[0], -1, qkv.shape[2])


def split_heads(joined: Tensor, parts: int, heads: int, head_major: bool) -> tuple[Tensor, ...]:
    """The parts of [B, parts·C, N] with the heads in the batch, each [B·heads, d, N]."""
    b, channels, n = joined.shape
    if head_major:
        return joined.reshape(b * heads, channels // heads, n).chunk(parts, 1)
    return tuple(part.reshape(b * heads, -1, n) for part in joined.chunk(parts, 1))


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """softmax(qᵀk / √d) v over [B, d, N] and [B, d, M], the softmax in float32; [B, d, N].

    Both q and k are scaled by d^(−1/4): half precision then cannot overflow. Keys where `mask` [B, M] is False are not seen.
    """
    scale = q.shape[1] ** -0.25
    weights = torch.bmm((q * scale).transpose(1, 2), k * scale).float()  # [B, N, M]
    if mask is not None:
        weights = weights.masked_fill(~mask[:, None], -torch.inf)
    weights = torch.softmax(weights, -1).to(v.dtype)
    return torch.bmm(v, weights.transpose(1, 2))
