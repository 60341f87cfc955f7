"""Where the attentions of a UNet look: the weights of its pixels on context tokens, beside a call of the network."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from nodes.networks.blocks import Attention, split_heads


def weights_on_tokens(attention: Attention, x: Tensor, context: Tensor) -> Tensor:
    """How much each of N = H·W pixels takes from each of L tokens, float32 [B, heads, N, L].

    x [B, C, H, W]; `context` [B, L, 2C]: keys and values, all of which are seen. One softmax goes over the L tokens and the N
    pixels, so that the sum over the tokens is below 1: the rest is self-attention.
    """
    pixels = attention.norm(x).flatten(2).transpose(1, 2)  # [B, N, C]
    q, k, _ = split_heads(attention.qkv(pixels), 3, attention.heads, attention.head_major)
    key, _ = split_heads(context.to(q.dtype), 2, attention.heads, attention.head_major)
    keys = torch.cat([key, k], 2).float()  # [B, heads, L + N, d]
    logits = q.float() @ keys.transpose(2, 3) / math.sqrt(q.shape[-1])
    return logits.softmax(-1)[..., : key.shape[2]]


@contextmanager
def watched(network: nn.Module) -> Iterator[list[Tensor]]:
    """Weights of every attention to context tokens that a call of the network runs inside, in their order, [B, heads, H, W, L].

    What the network gives is unchanged.
    """
    seen: list[Tensor] = []

    def look(attention: nn.Module, given: tuple[Any, ...], output: Tensor) -> None:
        assert isinstance(attention, Attention)
        x, context, *_ = given
        if context is not None:
            weights = weights_on_tokens(attention, x, context)
            seen.append(weights.unflatten(2, tuple(x.shape[2:])))

    attentions = [module for module in network.modules() if isinstance(module, Attention)]
    handles = [attention.register_forward_hook(look) for attention in attentions]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()
