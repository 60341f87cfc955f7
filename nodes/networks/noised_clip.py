"""GLIDE's CLIP: a text encoder, and an image encoder that knows how noisy its picture is. Ref: Nichol et al. 2022, §2.4."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nodes.networks.bpe import clip_clean, clip_encoding
from nodes.networks.config import NoisedClipConfig
from nodes.networks.tokenizer import LeftOut, words_left_out, words_to_ids

MEANS = (122.77093945, 116.74601272, 104.09373519)
DEVIATIONS = (68.50053285, 66.63215831, 70.32316309)
"""Of the colours of pictures in levels 0 … 255."""


class Block(nn.Module):
    """Pre-norm transformer block with exact GELU; keys have no bias."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width)
        self.proj = nn.Linear(width, width)
        self.norm_mlp = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)

    def forward(self, x: Tensor, causal: bool) -> Tensor:
        x = x + self.proj(self._attention(self.norm_attention(x), causal))  # [B, L, W]
        return x + self.narrow(F.gelu(self.widen(self.norm_mlp(x))))  # [B, L, W]

    def _attention(self, x: Tensor, causal: bool) -> Tensor:
        b, length, width = x.shape
        q, k, v = (
            part(x).reshape(b, length, self.heads, -1).transpose(1, 2)  # [B, heads, L, d]
            for part in (self.query, self.key, self.value)
        )
        joined = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        return joined.transpose(1, 2).reshape(b, length, width)


class TextEncoder(nn.Module):
    """Tokens [B, L] and their number [B] → features [B, D], read at the last token. Causal."""

    def __init__(self, config: NoisedClipConfig) -> None:
        super().__init__()
        width = config.text_heads * config.text_head_width
        self.token_embedding = nn.Embedding(config.vocabulary, width)
        self.positional_embedding = nn.Parameter(torch.randn(config.context, width) * 0.01)
        self.blocks = nn.ModuleList(
            Block(width, config.text_heads) for _ in range(config.text_layers)
        )
        self.final_norm = nn.LayerNorm(width)
        self.proj = nn.Linear(width, config.embedding_width, bias=False)

    def hidden(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """What stands at the last token after the last block, [B, W]."""
        x = self.token_embedding(tokens) + self.positional_embedding  # [B, L, W]
        for block in self.blocks:
            x = block(x, True)
        return x[torch.arange(len(x), device=x.device), lengths - 1]

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        return self.proj(self.final_norm(self.hidden(tokens, lengths)))


class ImageEncoder(nn.Module):
    """Pictures [B, 3, S, S] in [−1, 1], noised to t [B] → features [B, D]. The token of the timestep is read.

    Before training it is the same token for every t, so that what is learned at one t serves all from the start.
    """

    def __init__(self, config: NoisedClipConfig) -> None:
        super().__init__()
        width = config.image_heads * config.image_head_width
        self.size = config.image_size
        count = (config.image_size // config.patch_size) ** 2
        self.patches = nn.Conv2d(3, width, config.patch_size, config.patch_size, bias=False)
        self.time_embedding = (
            nn.Embedding.from_pretrained(torch.zeros(config.train_steps, width), freeze=False)
            if config.train_steps
            else None
        )
        self.class_embedding = (
            None if config.train_steps else nn.Parameter(torch.randn(width) / math.sqrt(width))
        )
        self.positional_embedding = nn.Parameter(torch.randn(1 + count, width) / math.sqrt(width))
        self.first_norm = nn.LayerNorm(width)
        self.blocks = nn.ModuleList(
            Block(width, config.image_heads) for _ in range(config.image_layers)
        )
        self.final_norm = nn.LayerNorm(width)
        self.proj = nn.Linear(width, config.embedding_width, bias=False)

    def layers(self, x_t: Tensor, t: Tensor | None) -> list[Tensor]:
        """What stands at every token after each block, [B, 1 + N, W]. Raises ValueError on another size."""
        if x_t.shape[-2:] != (self.size, self.size):
            raise ValueError(f"CLIP takes {self.size} px, the picture has {list(x_t.shape[-2:])}")
        means, deviations = (x_t.new_tensor(v).reshape(1, 3, 1, 1) for v in (MEANS, DEVIATIONS))
        levels = ((x_t + 1) * 127.5 - means) / deviations  # [B, 3, S, S]
        patches = (
            self.patches(levels.to(self.patches.weight.dtype)).flatten(2).transpose(1, 2)
        )  # [B, N, W]
        x = torch.cat([self._first(len(x_t), t), patches], 1) + self.positional_embedding
        x = self.first_norm(x)
        found: list[Tensor] = []
        for block in self.blocks:
            x = block(x, False)
            found.append(x)
        return found

    def _first(self, batch: int, t: Tensor | None) -> Tensor:
        if self.time_embedding is not None:
            if t is None:
                raise ValueError("this image encoder needs the timestep of the noise")
            return self.time_embedding(t.long())[:, None]
        assert self.class_embedding is not None
        return self.class_embedding.expand(batch, 1, -1)

    def forward(self, x_t: Tensor, t: Tensor | None = None) -> Tensor:
        return self.proj(self.final_norm(self.layers(x_t, t)[-1][:, 0]))


class NoisedClip(nn.Module):
    """Both encoders, and the scale of their similarity."""

    def __init__(self, config: NoisedClipConfig) -> None:
        super().__init__()
        self.config = config
        self.text = TextEncoder(config)
        self.image = ImageEncoder(config)

    def texts(self, texts: list[str]) -> Tensor:
        """Unit embeddings of texts [B, D]."""
        tokens, lengths = tokens_of(self.config, texts)
        device = self.text.positional_embedding.device
        return F.normalize(self.text(tokens.to(device), lengths.to(device)).float(), dim=-1)

    def images(self, x_t: Tensor, t: Tensor) -> Tensor:
        """Unit embeddings of noisy pictures [B, D]."""
        return F.normalize(self.image(x_t, t).float(), dim=-1)

    def features(self, x_t: Tensor, t: Tensor) -> list[Tensor]:
        """What each block of the image encoder sees at each patch, [B, N, W], every patch normalised."""
        return [
            F.layer_norm(layer[:, 1:].float(), layer.shape[-1:])
            for layer in self.image.layers(x_t, t)
        ]


def tokens_of(config: NoisedClipConfig, texts: list[str]) -> tuple[Tensor, Tensor]:
    """Tokens [B, L], padded by 0, and their number [B], by the tokenizer that the configuration names."""
    if not config.words:
        return clip_tokens(texts, config.context)
    return _padded(
        [words_to_ids(t, config.words) for t in texts], [], len(config.words) + 2, config.context
    )


def left_out_of(config: NoisedClipConfig, text: str) -> LeftOut:
    """What `tokens_of` leaves out of a text."""
    if config.words:
        return words_left_out(text, config.words, config.context - 1)
    encoding = clip_encoding()
    return LeftOut(encoding.decode(encoding.encode(clip_clean(text))[config.context - 2 :]).strip())


def clip_tokens(texts: list[str], context: int) -> tuple[Tensor, Tensor]:
    """CLIP's tokens with start and end [B, L], padded by 0, and their number [B]; what is too long is cut off."""
    encoding = clip_encoding()
    start, end = encoding.ids["<|startoftext|>"], encoding.ids["<|endoftext|>"]
    return _padded([encoding.encode(clip_clean(t)) for t in texts], [start], end, context)


def _padded(
    texts: list[list[int]], start: list[int], end: int, context: int
) -> tuple[Tensor, Tensor]:
    kept = context - len(start) - 1
    rows = [[*start, *text[:kept], end] for text in texts]
    padded = [row + [0] * (context - len(row)) for row in rows]
    return torch.tensor(padded), torch.tensor([len(row) for row in rows])
