"""The UNet of guided diffusion, GLIDE and unCLIP. Conditions arrive as three plain tensors, whatever made them."""

from itertools import repeat

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nodes.networks.blocks import Attention, GroupNorm, Pointwise, zeroed
from nodes.networks.clip.conditions import ClipConditions
from nodes.networks.config import LowResolution, UNetConfig
from nodes.networks.text import TextTransformer, bias_of
from nodes.networks.unet.stages import Builder, Contexts, time_waves


class UNet(nn.Module):
    """ε, x_0 or v (and a raw variance) of x_t. Ref: Dhariwal & Nichol 2021, §3; Nichol et al. 2022, §3.

    `forward(x_t [B, C, H, W], t [B], embedding [B, E], tokens [B, L, W], pixels [B, K, H, W])` → [B, C or 2C, H, W].
    `embedding` joins the time embedding (pooled text, label), `tokens` the attention (text) where `mask` [B, L] is True,
    `pixels` stand beside x_t (known pixels and mask, low-resolution picture). `text`, `clip` and `label_embedding` make them
    from a text, CLIP embeddings or a label.
    In place of the tokens, `context` [B, L, ΣK] gives what `projected` made of them, once for many steps, and `bias` [B, L]
    what `bias_of` made of the mask.
    """

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        width = config.embedding_width
        self.time = nn.Sequential(
            nn.Linear(config.model_channels, width), nn.SiLU(), nn.Linear(width, width)
        )
        self.label_embedding = nn.Embedding(config.classes, width) if config.classes else None
        self.text = TextTransformer(config.text, width) if config.text else None
        self.clip = ClipConditions(config.clip, width) if config.clip else None
        builder = Builder(config, config.widths[0])
        folded = config.fold**2
        self.inputs = builder.encoder((config.channels + config.condition_channels) * folded)
        self.middle = builder.middle()
        self.outputs = builder.decoder()
        self.out_norm = GroupNorm(builder.channels, config.groups)
        self.out_conv = zeroed(
            nn.Conv2d(builder.channels, config.output_channels * folded, 3, padding=1)
        )

    def forward(
        self,
        x_t: Tensor,
        t: Tensor,
        embedding: Tensor | None = None,
        tokens: Tensor | None = None,
        pixels: Tensor | None = None,
        context: Tensor | None = None,
        mask: Tensor | None = None,
        bias: Tensor | None = None,
    ) -> Tensor:
        dtype = self.out_conv.weight.dtype
        x = x_t if pixels is None else torch.cat([x_t, pixels.to(x_t.dtype)], 1)  # [B, C + K, H, W]
        h = F.pixel_unshuffle(x.to(dtype), self.config.fold)  # [B, (C + K)·k², H/k, W/k]
        e = self.time(time_waves(self.config, t).to(dtype))  # [B, E]
        e = e if embedding is None else e + embedding.to(e.dtype)  # [B, E]
        bias = bias_of(mask, dtype) if bias is None and mask is not None else bias
        h = self._through(h, e, self._contexts(tokens, context, bias))  # [B, D, H/k, W/k]
        h = self.out_conv(F.silu(self.out_norm(h)))  # [B, C'·k², H/k, W/k]
        h = F.pixel_shuffle(h, self.config.fold)  # [B, C', H, W]
        h = h.to(x_t.dtype, memory_format=torch.contiguous_format)
        if pixels is None or not self.config.residual:
            return h
        low = pixels[:, -self.config.channels :]  # the last of them, [B, C, H, W]
        return h + low.to(h.dtype)

    def _through(self, h: Tensor, e: Tensor, contexts: Contexts) -> Tensor:
        # A stack: the decoder mirrors the encoder, and each of its stages takes the latest skip left. The builder
        # counts channels in the same order, and checkpoints number their stages so.
        skips: list[Tensor] = []
        for stage in self.inputs:
            h = stage(h, e, contexts)
            skips.append(h)
        h = self.middle(h, e, contexts)
        for stage in self.outputs:
            h = stage(torch.cat([h, skips.pop()], 1), e, contexts)
        return h

    def _readers(self) -> list[Pointwise]:
        """What turns tokens into keys and values, one for each attention, in the order in which they run."""
        attentions = (m for m in self.modules() if isinstance(m, Attention))
        return [a.context_kv for a in attentions if a.context_kv is not None]

    def projected(self, tokens: Tensor) -> Tensor:
        """Keys and values of tokens [B, L, W] for every attention, one beside the other, [B, L, ΣK]."""
        tokens = tokens.to(self.out_conv.weight.dtype)
        return torch.cat([reader(tokens) for reader in self._readers()], 2)

    def _contexts(
        self, tokens: Tensor | None, context: Tensor | None, bias: Tensor | None
    ) -> Contexts:
        readers = self._readers()
        if not readers or (tokens is None and context is None):
            return repeat((None, None))
        context = self.projected(tokens) if context is None and tokens is not None else context
        assert context is not None
        parts = context.split([reader.out_channels for reader in readers], 2)
        return ((part, bias) for part in parts)


def upsampled(image: Tensor, size: int, how: LowResolution | None = None) -> Tensor:
    """A low-resolution picture at the network's size, [B, C, size, size]; without `how` bilinear and not rounded.

    Ref: Nichol et al. 2022, §3; Ramesh et al. 2022, §2.1.
    """
    if how is None:
        return F.interpolate(image, (size, size), mode="bilinear", align_corners=False)
    if how.levels is not None:
        half = (how.levels - 1) / 2
        image = image.add(1).mul(half).round().div(half).sub(1)
    antialias = how.filter == "bicubic"
    return F.interpolate(
        image, (size, size), mode=how.filter, align_corners=False, antialias=antialias
    )


def masked(image: Tensor, mask: Tensor) -> Tensor:
    """Known pixels and their mask, [B, C + 1, H, W]. Ref: Nichol et al. 2022, §2.5."""
    return torch.cat([image * mask, mask], 1)
