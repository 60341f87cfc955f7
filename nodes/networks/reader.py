"""A text transformer and a small picture network that are taught to agree: it teaches the transformer to read."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nodes.networks.config import TextConfig
from nodes.networks.text import TextTransformer

WIDTH = 128


def _stage(channels: int, out_channels: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, out_channels, 3, stride, 1), nn.GroupNorm(8, out_channels), nn.SiLU()
    )


class Reader(nn.Module):
    """Similarity of every caption to every picture [B, B]; pictures are 32 px. Ref: Radford et al. 2021 (CLIP)."""

    def __init__(self, config: TextConfig, embedding_width: int) -> None:
        super().__init__()
        self.text = TextTransformer(config, embedding_width)
        self.text_proj = nn.Linear(config.width, WIDTH, bias=False)
        self.picture = nn.Sequential(
            nn.PixelUnshuffle(2),
            _stage(12, 48, 1),
            _stage(48, 96, 2),
            _stage(96, 96, 1),
            _stage(96, 128, 2),
            _stage(128, 128, 1),
            nn.Flatten(),
            nn.Linear(128 * 16, WIDTH),
        )
        self.log_scale = nn.Parameter(torch.tensor(2.5))

    def forward(self, tokens: Tensor, mask: Tensor, pictures: Tensor) -> Tensor:
        words = self.text_proj(self.text(tokens, mask).tokens[:, -1])  # [B, 128]
        seen = self.picture(pictures)  # [B, 128]
        words, seen = F.normalize(words.float(), dim=-1), F.normalize(seen.float(), dim=-1)
        return words @ seen.T * self.log_scale.exp()  # [B, B]
