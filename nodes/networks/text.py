"""GLIDE's text transformer: not causal, no attention mask, padded positions are learned embeddings."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nodes.networks.config import TextConfig


@dataclass(frozen=True, slots=True)
class TextEncoding:
    """`pooled` [B, E] joins the time embedding, `tokens` [B, L, width] join the keys of attention."""

    pooled: Tensor
    tokens: Tensor


class KeyValues:
    """Keys and values [B, heads, S, d] of the positions that a block has seen; it grows by those that come after."""

    def __init__(self, held: tuple[Tensor, ...] = ()) -> None:
        self.held = held

    def joined(self, k: Tensor, v: Tensor) -> tuple[Tensor, ...]:
        """Those that are held, and the new ones behind them, which are held from now on."""
        parts = zip(self.held, (k, v), strict=True) if self.held else ((k,), (v,))
        self.held = tuple(torch.cat(part, 2) for part in parts)
        return self.held


def causal_mask(mask: Tensor, first: int, count: int) -> Tensor:
    """Which of the positions from `first` on sees which, [B, 1, count, first + count]: itself and those before it.

    `mask` [B, L]: True = a token, False = padding, which nothing sees; positions after these are all seen.
    """
    columns = F.pad(mask.bool(), (0, first + count - mask.shape[1]), value=True)  # [B, S]
    rows = torch.ones(count, first + count, dtype=torch.bool, device=mask.device)
    return columns[:, None, None] & rows.tril(first)


def without_padding(mask: Tensor, *values: Tensor) -> tuple[Tensor, ...]:
    """Mask [B, L] and values [B, L, …] without the positions that are padding in every row; on shapes all of them."""
    if mask.is_meta:
        return mask, *values
    seen = mask.any(0)
    return mask[:, seen], *(value[:, seen] for value in values)


def bias_of(visible: Tensor, dtype: torch.dtype) -> Tensor:
    """What attention adds to its logits: 0 where `visible` is True, else −∞."""
    bias = torch.zeros(visible.shape, dtype=dtype, device=visible.device)
    return bias.masked_fill_(~visible, -torch.inf)


class TextBlock(nn.Module):
    """Pre-norm transformer block with exact GELU; `mask` [B, 1, L, S] is True where a row sees a column.

    With `past` the rows also see the positions that it holds, which stand before them.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.norm_mlp = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)

    def forward(
        self, x: Tensor, mask: Tensor | None = None, past: KeyValues | None = None
    ) -> Tensor:
        x = x + self.proj(self._attention(self.qkv(self.norm_attention(x)), mask, past))
        return x + self.narrow(F.gelu(self.widen(self.norm_mlp(x))))  # [B, L, W]

    def _attention(self, qkv: Tensor, mask: Tensor | None, past: KeyValues | None) -> Tensor:
        b, length, width = qkv.shape
        q, k, v = qkv.reshape(b, length, self.heads, -1).chunk(3, -1)  # each [B, L, heads, d]
        q, k, v = (part.transpose(1, 2) for part in (q, k, v))  # each [B, heads, L, d]
        k, v = (k, v) if past is None else past.joined(k, v)  # each [B, heads, S, d]
        joined = F.scaled_dot_product_attention(q, k, v, mask)
        return joined.transpose(1, 2).reshape(b, length, width // 3)


class TextTransformer(nn.Module):
    """Token ids [B, L] and mask [B, L] (True = a token, False = padding) → TextEncoding. Ref: Nichol et al. 2022, §3."""

    def __init__(self, config: TextConfig, embedding_width: int) -> None:
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.vocabulary, config.width)
        self.positional_embedding = nn.Parameter(torch.empty(config.context, config.width))
        self.padding_embedding = (
            nn.Parameter(torch.empty(config.context, config.width)) if config.padding else None
        )
        self.blocks = nn.ModuleList(
            TextBlock(config.width, config.heads) for _ in range(config.layers)
        )
        self.final_norm = nn.LayerNorm(config.width) if config.final_norm else nn.Identity()
        self.proj = nn.Linear(config.width, embedding_width)
        self._initialise()

    def _initialise(self) -> None:
        nn.init.normal_(self.token_embedding.weight, std=0.02)
        nn.init.normal_(self.positional_embedding, std=0.01)
        if self.padding_embedding is not None:
            nn.init.normal_(self.padding_embedding, std=0.01)

    def forward(self, tokens: Tensor, mask: Tensor) -> TextEncoding:
        if tokens.shape[1] != self.config.context:
            raise ValueError(
                f"{tokens.shape[1]} tokens given, the text transformer takes {self.config.context}"
            )
        h = self.token_embedding(tokens) + self.positional_embedding  # [B, L, W]
        if self.padding_embedding is not None:
            h = torch.where(mask[..., None], h, self.padding_embedding)  # [B, L, W]
        for block in self.blocks:
            h = block(h)
        h = self.final_norm(h)
        return TextEncoding(self.proj(h[:, -1]), h)
