"""LAION's diffusion prior, another causal transformer for the same task. Ref: Ramesh et al. 2022, §2.2; Shazeer 2019."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nodes.networks.config import LaionPriorConfig

BUCKETS, FARTHEST = 32, 128
SIMILARITY = 16.0
"""Scale of the cosine between queries and keys."""
ROTATED = 32
"""Channels of a head, at most, that are turned by their position."""


class Norm(nn.Module):
    """A LayerNorm without a shift; `stable`: of rows divided by their largest value."""

    def __init__(self, width: int, stable: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.stable = stable

    def forward(self, x: Tensor) -> Tensor:
        x = x / x.amax(-1, keepdim=True) if self.stable else x
        return F.layer_norm(x, x.shape[-1:], self.weight.to(x.dtype))


class Attention(nn.Module):
    """Many heads of queries over one of keys and values, before which stands a learned null; by cosine, causal."""

    def __init__(self, config: LaionPriorConfig) -> None:
        super().__init__()
        self.heads, self.rotary = config.heads, config.rotary
        inner = config.heads * config.head_width
        self.norm = Norm(config.width)
        self.null = nn.Parameter(torch.randn(2, config.head_width))
        self.query = nn.Linear(config.width, inner, bias=False)
        self.key_value = nn.Linear(config.width, 2 * config.head_width, bias=False)
        self.proj = nn.Linear(inner, config.width, bias=False)
        self.proj_norm = Norm(config.width)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        x = self.norm(x)
        q = self.query(x).unflatten(2, (self.heads, -1)).transpose(1, 2)  # [B, heads, S, d]
        k, v = self.key_value(x).chunk(2, -1)  # each [B, S, d]
        q, k = (rotated(q), rotated(k)) if self.rotary else (q, k)
        null_k, null_v = (n.expand(len(x), 1, -1) for n in self.null)  # each [B, 1, d]
        k, v = torch.cat([null_k, k], 1), torch.cat([null_v, v], 1)  # each [B, 1 + S, d]
        q, k = F.normalize(q, dim=-1), F.normalize(k, dim=-1)
        weights = SIMILARITY * q @ k[:, None].transpose(2, 3) + bias  # [B, heads, S, 1 + S]
        later = torch.ones(bias.shape[1:], dtype=torch.bool, device=x.device).triu(2)
        weights = weights.masked_fill(later, -torch.inf).float().softmax(-1).to(v.dtype)
        joined = (weights @ v[:, None]).transpose(1, 2).flatten(2)  # [B, S, heads·d]
        return self.proj_norm(self.proj(joined))  # [B, S, W]


def rotated(x: Tensor) -> Tensor:
    """Pairs of channels of [B, …, S, d] turned by angles that grow with the position. Ref: Su et al. 2021, eq. 15."""
    width = min(ROTATED, x.shape[-1])
    index = torch.arange(0, width, 2, dtype=torch.float32, device=x.device) / width
    positions = torch.arange(x.shape[-2], dtype=torch.float32, device=x.device)
    angles = (positions[:, None] / 10_000**index).repeat_interleave(2, -1)  # [S, width]
    turned, rest = x[..., :width], x[..., width:]
    even, odd = turned.unflatten(-1, (-1, 2)).unbind(-1)
    across = torch.stack([-odd, even], -1).flatten(-2)
    turned = turned * angles.cos().to(x.dtype) + across * angles.sin().to(x.dtype)
    return torch.cat([turned, rest], -1)


class Gated(nn.Module):
    """Two layers with a gate between them. Ref: Shazeer 2020 (SwiGLU)."""

    def __init__(self, config: LaionPriorConfig) -> None:
        super().__init__()
        inner = config.widening * config.width
        self.norm = Norm(config.width)
        self.widen = nn.Linear(config.width, 2 * inner, bias=False)
        self.gate_norm = Norm(inner) if config.normed_gate else nn.Identity()
        self.narrow = nn.Linear(inner, config.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.widen(self.norm(x)).chunk(2, -1)
        return self.narrow(self.gate_norm(value * F.silu(gate)))  # [B, S, W]


class Block(nn.Module):
    """Attention, then the gated layers, each beside what it is given."""

    def __init__(self, config: LaionPriorConfig) -> None:
        super().__init__()
        self.attention = Attention(config)
        self.gated = Gated(config)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        x = self.attention(x, bias) + x
        return self.gated(x) + x


class RelativePositions(nn.Module):
    """A learned bias of every head for how far a key lies behind a query, [heads, S, 1 + S]. Ref: Raffel et al. 2020, §2.1."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.table = nn.Embedding(BUCKETS, heads)

    def forward(self, length: int) -> Tensor:
        device = self.table.weight.device
        query = torch.arange(length, device=device)[:, None]
        behind = (query - torch.arange(length + 1, device=device)).clamp(min=0)  # [S, 1 + S]
        exact = BUCKETS // 2
        scale = (BUCKETS - exact) / math.log(FARTHEST / exact)
        far = exact + ((behind.float().clamp(min=1) / exact).log() * scale).long()
        bucket = torch.where(behind < exact, behind, far.clamp(max=BUCKETS - 1))
        return self.table(bucket).permute(2, 0, 1)


class Waves(nn.Module):
    """[sin | cos] of t, and three layers, [B] → [B, tokens · width]."""

    def __init__(self, width: int, tokens: int) -> None:
        super().__init__()
        self.width, out = width, tokens * width
        self.layers = nn.Sequential(
            nn.Linear(width, 2 * out),
            nn.SiLU(),
            nn.Linear(2 * out, 2 * out),
            nn.SiLU(),
            nn.Linear(2 * out, out),
        )

    def forward(self, t: Tensor) -> Tensor:
        half = self.width // 2
        index = torch.arange(half, dtype=torch.float32, device=t.device)
        angles = t.float()[:, None] * torch.exp(-math.log(10_000) / (half - 1) * index)
        waves = torch.cat([angles.sin(), angles.cos()], -1)
        return self.layers(waves.to(next(self.parameters()).dtype))


class LaionPrior(nn.Module):
    """x_0 of a noisy image embedding x_t [B, D] at t [B]; both are √D times as long as CLIP's.

    `embedding` [B, D]: CLIP's text embedding; `tokens` [B, L, D]: CLIP's text tokens, where `mask` [B, L] is True, or where
    they are not zero. Without an embedding everything is its learned null, x_t too: the unconditional branch.
    """

    def __init__(self, config: LaionPriorConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.text_proj = _several(width, config.text_tokens)
        self.image_proj = _several(width, config.image_tokens)
        self.time = (
            nn.Embedding(config.steps, config.time_tokens * width)
            if config.steps is not None
            else Waves(width, config.time_tokens)
        )
        self.query = nn.Parameter(torch.randn(width))
        self.null_tokens = nn.Parameter(torch.randn(1, config.context, width))
        self.null_text = nn.Parameter(torch.randn(1, config.text_tokens, width))
        self.null_image = nn.Parameter(torch.randn(1, width))
        self.first_norm = Norm(width) if config.norm_in else nn.Identity()
        self.positions = RelativePositions(config.heads)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.final_norm = Norm(width, stable=True) if config.norm_out else nn.Identity()
        self.out = nn.Linear(width, width, bias=False) if config.project_out else nn.Identity()

    def forward(
        self,
        x_t: Tensor,
        t: Tensor,
        embedding: Tensor | None = None,
        tokens: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        dtype = self.query.dtype
        h = self._sequence(x_t.to(dtype), t, embedding, tokens, mask)  # [B, S, D]
        h = self.first_norm(h)
        bias = self.positions(h.shape[1])  # [heads, S, 1 + S]
        for block in self.blocks:
            h = block(h, bias)
        return self.out(self.final_norm(h))[:, -1].to(x_t.dtype)  # [B, D]

    def _sequence(
        self,
        x_t: Tensor,
        t: Tensor,
        embedding: Tensor | None,
        tokens: Tensor | None,
        mask: Tensor | None,
    ) -> Tensor:
        rows, width = len(x_t), self.config.width
        text, image = self.null_text.expand(rows, -1, -1), self.null_image[:, None]
        image = image.expand(rows, self.config.image_tokens, -1)
        if embedding is not None:
            text = self.text_proj(embedding.to(x_t.dtype)).reshape(rows, -1, width)
            image = self.image_proj(x_t).reshape(rows, -1, width)
        times = self.time(t.long() if self.config.steps is not None else t)
        words = self._words(rows, None if embedding is None else tokens, mask)
        query = self.query.expand(rows, 1, -1)
        return torch.cat([words, text, times.reshape(rows, -1, width), image, query], 1)

    def _words(self, rows: int, tokens: Tensor | None, mask: Tensor | None) -> Tensor:
        """Text tokens at the context's length [B, L, D]; where there is none, the learned null of that place."""
        nulls, length = self.null_tokens.expand(rows, -1, -1), self.config.context
        if tokens is None:
            return nulls
        mask = (tokens != 0).any(-1) if mask is None else mask.bool()
        tokens, mask = tokens[:, :length], mask[:, :length]
        missing = length - tokens.shape[1]
        tokens, mask = F.pad(tokens, (0, 0, 0, missing)), F.pad(mask, (0, missing))
        return torch.where(mask[..., None], tokens.to(nulls.dtype), nulls)

    def embeddings(self, sample: Tensor) -> Tensor:
        """What is sampled as CLIP's embedding."""
        return sample / math.sqrt(self.config.width)


def _several(width: int, tokens: int) -> nn.Module:
    return nn.Linear(width, tokens * width) if tokens > 1 else nn.Identity()
