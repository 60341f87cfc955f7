"""The diffusion prior: a decoder-only transformer that predicts CLIP's image embedding. Ref: Ramesh et al. 2022, §2.2."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nodes.networks.blocks import timestep_embedding
from nodes.networks.config import PriorConfig
from nodes.networks.text import KeyValues, TextBlock, bias_of, causal_mask, without_padding

LAST = 3
"""Positions after a text: timestep, x_t, query."""
ACTIVATIONS = {"silu": nn.SiLU, "gelu": nn.GELU}


class Prior(nn.Module):
    """x_0 of a noisy image embedding x_t [B, D] (or a sequence of them [B, N, D]) at t [B], in normalised units.

    `embedding` [B, D]: CLIP's text embedding; `tokens` [B, L, W]: CLIP's text tokens; `mask` [B, L]: True = a token. With a
    mask every position sees itself and those before it, without one all see all. In place of them, `context` and `bias` give
    what `projected` and `seen_by_last` made of them, once for many steps: then 3 positions are computed. `mean` and `std`
    [1, D] turn what is sampled into an embedding: x · std + mean.
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
        embedding: Tensor | None = None,
        tokens: Tensor | None = None,
        mask: Tensor | None = None,
        context: Tensor | None = None,
        bias: Tensor | None = None,
    ) -> Tensor:
        dtype = self.out.weight.dtype
        x = x_t.to(dtype)
        if context is not None:
            h = self._after(self._last(x, t), context, bias)  # [B, n, W]
        else:
            assert embedding is not None
            h = self._whole(x, t, embedding.to(dtype), tokens, mask)  # [B, S, W]
        h = self.final_norm(h)
        h = h[:, -1] if self.config.query else h[:, -self.config.tokens :]
        return self.out(h).to(x_t.dtype)  # [B, D']

    def _whole(
        self, x: Tensor, t: Tensor, embedding: Tensor, tokens: Tensor | None, mask: Tensor | None
    ) -> Tensor:
        given = None if tokens is None else tokens.to(x.dtype)
        h = self.sequence(x, t, embedding, given)  # [B, S, W]
        visible = None if mask is None else self.attention_mask(mask, h.shape[1])  # [B, 1, S, S]
        for block in self.blocks:
            h = block(h, visible)
        return h

    def _after(self, h: Tensor, context: Tensor, bias: Tensor | None) -> Tensor:
        """The last positions [B, n, W] through all blocks, which see those before them by their keys and values."""
        seen = None if bias is None else bias[:, None]  # [B, 1, n, P + n]
        kept = context.unbind(1)
        for block, k, v in zip(self.blocks, kept[::2], kept[1::2], strict=True):
            h = block(h, seen, KeyValues((k, v)))
        return h

    @property
    def keeps_text(self) -> bool:
        """Whether a text's positions are the same at all steps: under a mask none sees those of t and x_t, which come after."""
        return self.tokens_proj is not None and self.query is not None

    def projected(self, embedding: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
        """Keys and values of a text's positions in every block, [R, 2·layers, heads, P, d]; `mask` [R, L]: True = a token.

        To be given as `context`, with the `bias` of `seen_by_last`. What is padding in every row is left out.
        """
        dtype = self.out.weight.dtype
        h = self._text(embedding.to(dtype), tokens.to(dtype), LAST)  # [R, L + 1, W]
        mask, h = without_padding(F.pad(mask.bool(), (0, 1), value=True), h)  # [R, P], [R, P, W]
        visible, kept = causal_mask(mask, 0, h.shape[1]), list[Tensor]()
        for block in self.blocks:
            past = KeyValues()
            h = block(h, visible, past)
            kept.extend(past.held)
        return torch.stack(kept, 1)

    def seen_by_last(self, mask: Tensor) -> Tensor:
        """What the positions after a text of `mask` [R, L] add to their logits, [R, 3, P + 3]."""
        (mask,) = without_padding(F.pad(mask.bool(), (0, 1), value=True))
        visible = causal_mask(mask, mask.shape[1], LAST)  # [R, 1, 3, P + 3]
        return bias_of(visible[:, 0], self.out.weight.dtype)

    def embeddings(self, sample: Tensor) -> Tensor:
        """What is sampled as CLIP's embedding."""
        return sample * self.std.to(sample.dtype) + self.mean.to(sample.dtype)

    def sequence(self, x_t: Tensor, t: Tensor, embedding: Tensor, tokens: Tensor | None) -> Tensor:
        """What the first block takes, [B, S, W]."""
        last = self._last(x_t, t)
        return torch.cat([self._text(embedding, tokens, last.shape[1]), last], 1)

    def _text(self, embedding: Tensor, tokens: Tensor | None, after: int) -> Tensor:
        """The positions of a text and its embedding, [B, P, W]; `after`: how many follow."""
        parts = [] if tokens is None or self.tokens_proj is None else [self.tokens_proj(tokens)]
        parts.append(self.condition_proj(self.condition_norm(embedding))[:, None])  # [B, 1, W]
        return self._placed(torch.cat(parts, 1), after)

    def _last(self, x_t: Tensor, t: Tensor) -> Tensor:
        """The positions after them: timestep, x_t and query, [B, n, W]."""
        waves = timestep_embedding(t, self.config.width).to(x_t.dtype)
        x = x_t[:, None] if x_t.ndim == 2 else x_t
        parts = [self.time(waves)[:, None], self.x_proj(x)]  # [B, 1, W] and [B, N, W]
        if self.query is not None:
            parts.append(self.query.expand(len(x), -1, -1))
        return self._placed(torch.cat(parts, 1), 0)

    def _placed(self, parts: Tensor, after: int) -> Tensor:
        """Parts [B, P, W] of a sequence with `after` behind them, and where they stand in it."""
        # Positions are counted from the end: where there are fewer of them than tokens, the first tokens have none.
        known = self.positional_embedding[:, : max(0, self.config.positions - after)]
        return self.first_norm(parts + F.pad(known, (0, 0, parts.shape[1] - known.shape[1], 0)))

    def attention_mask(self, mask: Tensor, length: int) -> Tensor:
        """Which position [S] sees which, of each row [B, 1, S, S]: those before it that are no padding."""
        return causal_mask(mask, 0, length)
