"""The autoregressive prior: a causal transformer over the codes of CLIP's image embedding. Ref: Ramesh et al. 2022, §2.2."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nodes.networks.blocks import timestep_embedding
from nodes.networks.clip.conditions import ClipReading
from nodes.networks.config import ArPriorConfig
from nodes.networks.text import KeyValues, TextBlock, causal_mask

PERIOD = 1000.0
"""Over how many steps of the waves the grades of an embedding are spread at first, as timesteps are."""
STANDARD_DEVIATION = 0.03
"""About how far an embedding is from zero at first, in each of its numbers."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What stands before the codes: CLIP's `reading` of a text, and the `level` int64 [B] of the embeddings' dot product."""

    reading: ClipReading
    level: Tensor


class ArPrior(nn.Module):
    """Logits of an embedding's codes, each given those before it and a prompt.

    The buffers say what codes stand for: the principal components (`mean` [1, D], `components` [K, D], `eigenvalues` [D]),
    the range `low` … `high` [K] that the buckets of each share equally, and the `edges` [levels − 1] between levels.
    """

    mean: Tensor
    components: Tensor
    eigenvalues: Tensor
    low: Tensor
    high: Tensor
    edges: Tensor

    def __init__(self, config: ArPriorConfig) -> None:
        super().__init__()
        self.config = config
        width, count = config.width, config.components
        self.tokens_proj = nn.Linear(config.text_width, width)
        self.condition_norm = nn.LayerNorm(config.embedding)
        self.condition_proj = nn.Linear(config.embedding, width)
        self.level_embedding = nn.Embedding(config.levels, width)
        self.code_embedding = nn.Embedding(config.buckets, width)
        self.positional_embedding = nn.Parameter(torch.empty(1, config.prefix + count - 1, width))
        self.blocks = nn.ModuleList(TextBlock(width, config.heads) for _ in range(config.layers))
        self.final_norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, config.buckets)
        self.register_buffer("mean", torch.zeros(1, config.embedding))
        self.register_buffer("components", torch.eye(count, config.embedding))
        self.register_buffer("eigenvalues", torch.ones(config.embedding))
        self.register_buffer("low", -torch.ones(count))
        self.register_buffer("high", torch.ones(count))
        self.register_buffer("edges", torch.linspace(-1, 1, config.levels + 1)[1:-1])
        self._initialise()

    def _initialise(self) -> None:
        for table in (self.level_embedding, self.code_embedding, self.out):
            _graded(table.weight)
        nn.init.normal_(self.positional_embedding, std=0.01)

    def forward(self, codes: Tensor, prompt: Prompt) -> Tensor:
        """Codes [B, N] of the first components → logits [B, N + 1, buckets] of those and of the next, N < K."""
        first = self._prefix(prompt)  # [B, P, W]
        rows = torch.cat([first, self._later(codes, 0)], 1)  # [B, P + N, W]
        mask = causal_mask(prompt.reading.mask, 0, rows.shape[1])  # [B, 1, P + N, P + N]
        for block in self.blocks:
            rows = block(rows, mask)
        return self._logits(rows[:, first.shape[1] - 1 :])  # [B, N + 1, V]

    def decoding(self, prompt: Prompt) -> Callable[[Tensor | None], Tensor]:
        """A function of the codes that come next, int64 [B] (None before the first) → logits [B, buckets] of those after them.

        The keys and values of what stands before them are kept.
        """
        past = [KeyValues() for _ in self.blocks]
        done = 0

        def step(codes: Tensor | None) -> Tensor:
            nonlocal done
            place = done - self.config.prefix
            rows = self._prefix(prompt) if codes is None else self._later(codes[:, None], place)
            mask = causal_mask(prompt.reading.mask, done, rows.shape[1])  # [B, 1, n, done + n]
            done += rows.shape[1]
            for block, held in zip(self.blocks, past, strict=True):
                rows = block(rows, mask, held)
            return self._logits(rows[:, -1])  # [B, V]

        return step

    def _prefix(self, prompt: Prompt) -> Tensor:
        """What stands before the codes, [B, P, W]."""
        reading, dtype = prompt.reading, self.out.weight.dtype
        words = self.tokens_proj(reading.tokens.to(dtype))  # [B, L, W]
        text = self.condition_proj(self.condition_norm(reading.embedding.to(dtype)))  # [B, W]
        level = self.level_embedding(prompt.level)  # [B, W]
        rows = torch.cat([words, text[:, None], level[:, None]], 1)
        return rows + self.positional_embedding[:, : self.config.prefix]

    def _later(self, codes: Tensor, place: int) -> Tensor:
        """Codes [B, n] of the components from `place` on, [B, n, W]."""
        first = self.config.prefix + place
        return (
            self.code_embedding(codes)
            + self.positional_embedding[:, first : first + codes.shape[1]]
        )

    def _logits(self, rows: Tensor) -> Tensor:
        return self.out(self.final_norm(rows)).float()


def _graded(table: Tensor) -> None:
    """First rows [grades, W] for grades of one quantity: waves of the grade, so that neighbours are alike from the start."""
    grades = torch.arange(len(table)) * (PERIOD / len(table))
    with torch.no_grad():
        table.copy_(STANDARD_DEVIATION * timestep_embedding(grades, table.shape[1]))
