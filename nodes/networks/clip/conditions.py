"""What an unCLIP decoder makes of CLIP embeddings. Ref: Ramesh et al. 2022, §2.1."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nodes.networks.config import ClipConditionConfig
from nodes.rows import level
from nodes.tensors import Tensors


@dataclass(frozen=True, slots=True)
class ClipReading(Tensors):
    """What CLIP reads in a text: `embedding` [B, D], `tokens` [B, L, W], `mask` [B, L], True = a token."""

    embedding: Tensor
    tokens: Tensor
    mask: Tensor


@dataclass(frozen=True, slots=True)
class ClipEncoding:
    """`embedding` [B, E] joins the time embedding, `tokens` [B, N + L, W] the attention where `mask` [B, N + L] is True."""

    embedding: Tensor
    tokens: Tensor
    mask: Tensor


class ClipConditions(nn.Module):
    """Image embedding [B, D] (None: the learned null) and CLIP's text → ClipEncoding."""

    def __init__(self, config: ClipConditionConfig, embedding_width: int) -> None:
        super().__init__()
        self.config = config
        width = config.embedding
        self.null_embedding = nn.Parameter(torch.zeros(width))
        self.image_to_time = nn.Linear(width, embedding_width)
        self.image_to_tokens = nn.Linear(width, config.extra_tokens * config.width)
        reads = config.text_width is not None
        self.text_to_time = nn.Linear(width, embedding_width) if reads else None
        self.tokens_proj = nn.Linear(config.text_width or 1, config.width) if reads else None
        self.tokens_norm = nn.LayerNorm(config.width) if reads else None

    def forward(self, image: Tensor | None, text: ClipReading | None = None) -> ClipEncoding:
        rows = 1 if text is None else len(text.embedding)
        image = self.null_embedding.expand(rows, -1) if image is None else image  # [B, D]
        image = image.to(self.null_embedding.dtype)
        embedding = self.image_to_time(image)  # [B, E]
        # Token j is made of elements j, j + N, j + 2N, … of the projection.
        extra = self.image_to_tokens(image).unflatten(1, (-1, self.config.extra_tokens))
        tokens = extra.transpose(1, 2)  # [B, N, W]
        mask = torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
        if text is None:
            return ClipEncoding(embedding, tokens, mask)
        return self._with_text(ClipEncoding(embedding, tokens, mask), text)

    def _with_text(self, image: ClipEncoding, text: ClipReading) -> ClipEncoding:
        if self.text_to_time is None or self.tokens_proj is None or self.tokens_norm is None:
            raise ValueError("this decoder reads no text")
        dtype = image.tokens.dtype
        pooled = self.text_to_time(text.embedding.to(dtype))  # [B, E]
        words = self.tokens_norm(self.tokens_proj(text.tokens.to(dtype)))  # [B, L, W]
        seen, read = level(image.embedding, pooled)
        return ClipEncoding(
            seen + read,  # [B, E]
            torch.cat(level(image.tokens, words), 1),  # [B, N + L, W]
            torch.cat(level(image.mask, text.mask), 1),  # [B, N + L]
        )
