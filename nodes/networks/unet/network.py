"""The UNet of guided diffusion, GLIDE and unCLIP. Conditions arrive as three plain tensors, whatever made them."""

from collections.abc import Iterable
from itertools import islice, repeat

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nodes.networks.blocks import Attention, GroupNorm, silu, zeroed
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
        self._readers = [a.context_kv for a in _attentions(self) if a.context_kv is not None]
        """What turns tokens into keys and values, one for each attention, in the order in which they run."""

    def forward(
        self, x_t: Tensor, t: Tensor, *given: Tensor | None, **conditions: Tensor | None
    ) -> Tensor:
        """What the network says of x_t at t, under the conditions of `keeping`, all of which may be left out."""
        return self.keeping(x_t, t, *given, **conditions, outer=0, deep=None)[0]

    def keeping(
        self,
        x_t: Tensor,
        t: Tensor,
        embedding: Tensor | None = None,
        tokens: Tensor | None = None,
        pixels: Tensor | None = None,
        context: Tensor | None = None,
        mask: Tensor | None = None,
        bias: Tensor | None = None,
        *,
        outer: int = 0,
        deep: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """What `forward` gives, and what comes to the last `outer` stages from inside, [B, D, h, w], to be kept.

        With `deep`, such features of another call, the stages inside of the `outer` first and last do not run.
        Ref: Ma et al. 2024 (DeepCache), §3.2.
        """
        dtype = self.out_conv.weight.dtype
        x = x_t if pixels is None else torch.cat([x_t, pixels.to(x_t.dtype)], 1)  # [B, C + K, H, W]
        h = F.pixel_unshuffle(x.to(dtype), self.config.fold)  # [B, (C + K)·k², H/k, W/k]
        e = self.time(time_waves(self.config, t).to(dtype))  # [B, E]
        e = e if embedding is None else e + embedding.to(e.dtype)  # [B, E]
        bias = bias_of(mask, dtype) if bias is None and mask is not None else bias
        contexts = self._contexts(tokens, context, bias)
        h, deep = self._through(h, e, contexts, outer, deep)  # [B, D, H/k, W/k]
        h = self.out_conv(silu(self.out_norm(h)))  # [B, C'·k², H/k, W/k]
        h = F.pixel_shuffle(h, self.config.fold)  # [B, C', H, W]
        h = h.to(x_t.dtype, memory_format=torch.contiguous_format)
        if pixels is None or not self.config.residual:
            return h, deep
        low = pixels[:, -self.config.channels :]  # the last of them, [B, C, H, W]
        return h + low.to(h.dtype), deep

    def _through(
        self, h: Tensor, e: Tensor, contexts: Contexts, outer: int, deep: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        # A stack: the decoder mirrors the encoder, and each of its stages takes the latest skip left. The builder
        # counts channels in the same order, and checkpoints number their stages so.
        skips: list[Tensor] = []
        inner = self.config.stages - outer
        h = _down([*self.inputs][:outer], h, e, contexts, skips)
        if deep is None:
            h = _down([*self.inputs][outer:], h, e, contexts, skips)
            h = self.middle(h, e, contexts)
            deep = _up([*self.outputs][:inner], h, e, contexts, skips)
        else:
            inside = _attentions(*[*self.inputs][outer:], self.middle, *[*self.outputs][:inner])
            _ = list(islice(contexts, len(inside)))  # what those attentions would have taken
        return _up([*self.outputs][inner:], deep, e, contexts, skips), deep

    def projected(self, tokens: Tensor) -> Tensor:
        """Keys and values of tokens [B, L, W] for every attention, one beside the other, [B, L, ΣK]."""
        tokens = tokens.to(self.out_conv.weight.dtype)
        return torch.cat([reader(tokens) for reader in self._readers], 2)

    def _contexts(
        self, tokens: Tensor | None, context: Tensor | None, bias: Tensor | None
    ) -> Contexts:
        readers = self._readers
        if not readers or (tokens is None and context is None):
            return repeat((None, None))
        context = self.projected(tokens) if context is None and tokens is not None else context
        assert context is not None
        parts = context.split([reader.out_channels for reader in readers], 2)
        return ((part, bias) for part in parts)


def _attentions(*modules: nn.Module) -> list[Attention]:
    """The attentions of modules, in the order in which they run."""
    return [m for module in modules for m in module.modules() if isinstance(m, Attention)]


def _down(
    stages: Iterable[nn.Module], h: Tensor, e: Tensor, contexts: Contexts, skips: list[Tensor]
) -> Tensor:
    for stage in stages:
        h = stage(h, e, contexts)
        skips.append(h)
    return h


def _up(
    stages: Iterable[nn.Module], h: Tensor, e: Tensor, contexts: Contexts, skips: list[Tensor]
) -> Tensor:
    for stage in stages:
        h = stage(torch.cat([h, skips.pop()], 1), e, contexts)
    return h


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
