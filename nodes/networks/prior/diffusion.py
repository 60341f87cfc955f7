"""The diffusion prior: a decoder-only transformer that predicts CLIP's image embedding. Ref: Ramesh et al. 2022, §2.2."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nodes.networks.blocks import timestep_embedding
from nodes.networks.config import PriorConfig
from nodes.networks.text import TextBlock, causal_mask

ACTIVATIONS = {"silu": nn.SiLU, "gelu": nn.GELU}


class Prior(nn.Module):
    """x_0 of a noisy image embedding x_t [B, D] (or a sequence of them [B, N, D]) at t [B], in normalised units.

    `embedding` [B, D]: CLIP's text embedding; `tokens` [B, L, W]: CLIP's text tokens; `mask` [B, L]: True = a token. With a
    mask every position sees itself and those before it, without one all see all. `mean` and `std` [1, D] turn what is
    sampled into an embedding: x · std + mean.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: PriorConfig) -> None:
        super().__init__()
        self.config = config
        width, condition = config.width, config.condition or config.embedding
        self.time = nn.Sequential(
            nn.Linear(width, config.time_width or width),
            ACTIVATIONS[config.time_activation](),
            nn.Linear(config.time_width or width, width),
        )
        self.x_proj = nn.Linear(config.embedding, width)
        self.condition_norm = nn.LayerNorm(condition) if config.norm_condition else nn.Identity()
        self.condition_proj = nn.Linear(condition, width)
        text_width = config.text_width or config.embedding
        self.tokens_proj = nn.Linear(text_width, width) if config.reads_text else None
        self.query = nn.Parameter(torch.zeros(1, 1, width)) if config.query else None
        self.positional_embedding = nn.Parameter(torch.randn(1, config.positions, width) * 0.01)
        self.first_norm = nn.LayerNorm(width) if config.norm_in else nn.Identity()
        self.blocks = nn.ModuleList(TextBlock(width, config.heads) for _ in range(config.layers))
        self.final_norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, config.output_width)
        self.register_buffer("mean", torch.zeros(1, config.output_width))
        self.register_buffer("std", torch.ones(1, config.output_width))

    def forward(
        self,
        x_t: Tensor,
        t: Tensor,
        embedding: Tensor,
        tokens: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        dtype = self.out.weight.dtype
        x, given = x_t.to(dtype), None if tokens is None else tokens.to(dtype)
        h = self.sequence(x, t, embedding.to(dtype), given)  # [B, S, W]
        visible = None if mask is None else self.attention_mask(mask, h.shape[1])  # [B, 1, S, S]
        for block in self.blocks:
            h = block(h, visible)
        h = self.final_norm(h)
        h = h[:, -1] if self.config.query else h[:, -self.config.tokens :]
        return self.out(h).to(x_t.dtype)  # [B, D']

    def embeddings(self, sample: Tensor) -> Tensor:
        """What is sampled as CLIP's embedding."""
        return sample * self.std.to(sample.dtype) + self.mean.to(sample.dtype)

    def sequence(self, x_t: Tensor, t: Tensor, embedding: Tensor, tokens: Tensor | None) -> Tensor:
        """What the first block takes, [B, S, W]."""
        waves = timestep_embedding(t, self.config.width).to(x_t.dtype)
        parts = [] if tokens is None or self.tokens_proj is None else [self.tokens_proj(tokens)]
        parts.append(self.condition_proj(self.condition_norm(embedding))[:, None])  # [B, 1, W]
        parts.append(self.time(waves)[:, None])  # [B, 1, W]
        x = x_t[:, None] if x_t.ndim == 2 else x_t
        parts.append(self.x_proj(x))  # [B, N, W]
        if self.query is not None:
            parts.append(self.query.expand(len(x), -1, -1))
        joined = torch.cat(parts, 1)  # [B, S, W]
        # Where there are fewer positions than tokens, those before x_t have none.
        before = joined.shape[1] - self.config.positions
        return self.first_norm(joined + F.pad(self.positional_embedding, (0, 0, before, 0)))

    def attention_mask(self, mask: Tensor, length: int) -> Tensor:
        """Which position [S] sees which, of each row [B, 1, S, S]: those before it that are no padding."""
        return causal_mask(mask, 0, length)
