"""Rules of fused attention, and of its backward pass."""

from typing import Any

import torch
from torch import Tensor

from nodegraph.runtime.meta.layout import broadcast, elementwise, need, new
from nodegraph.runtime.meta.registry import rule


@rule("_scaled_dot_product_flash_attention_for_cpu")
def _attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    attn_mask: Tensor | None = None,
    scale: float | None = None,
) -> tuple[Tensor, Tensor]:
    """What [B, heads, N, d] gather from [B, heads, M, d], and the logarithms of the sums of their weights."""
    b, heads, n, _ = q.shape
    need(q.dtype == k.dtype == v.dtype and q.is_floating_point() and k.shape == v.shape)
    need((*k.shape[:2], k.shape[3]) == (b, heads, q.shape[3]))
    if attn_mask is not None:
        pairs = torch.empty(b, heads, n, k.shape[2], device="meta")
        need(tuple(broadcast([pairs, attn_mask])) == tuple(pairs.shape))
    wide = torch.float32 if q.dtype in (torch.float16, torch.bfloat16) else q.dtype
    return elementwise(q.shape, [q], q.dtype), new(q, (b, n, heads), wide).transpose(1, 2)


@rule("_scaled_dot_product_flash_attention_for_cpu_backward")
def _attention_backward(
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, *_: Any, **__: Any
) -> tuple[Tensor, ...]:
    need(grad.shape == q.shape)
    swapped = ((x, [x.shape[at] for at in (0, 2, 1, 3)]) for x in (q, k, v))
    return tuple(new(x, shape).transpose(1, 2) for x, shape in swapped)
