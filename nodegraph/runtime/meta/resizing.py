"""Rules of operations on pictures: resizing, pooling and folding pixels."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from nodegraph.runtime.meta.layout import need, new, one_each, pictures
from nodegraph.runtime.meta.registry import rule


@rule(
    "upsample_nearest2d",
    "upsample_bilinear2d",
    "upsample_bicubic2d",
    "_upsample_bilinear2d_aa",
    "_upsample_bicubic2d_aa",
)
def _resized(x: Tensor, size: Sequence[int], *_: Any) -> Tensor:
    need(x.ndim == 4 and x.numel() > 0 and len(size) == 2 and min(size) > 0)
    need(x.is_floating_point())
    return pictures((*x.shape[:2], *size), x.dtype, [x])


@rule(
    "upsample_nearest2d_backward",
    "_upsample_bilinear2d_aa_backward",
    "_upsample_bicubic2d_aa_backward",
)
def _resized_backward(grad: Tensor, size: Sequence[int], before: Sequence[int], *_: Any) -> Tensor:
    need(tuple(grad.shape) == (*before[:2], *size))
    return pictures(before, grad.dtype, [grad])


@rule("avg_pool2d")
def _avg_pool(
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int] = (),
    padding: Any = 0,
    ceil: bool = False,
    *_: Any,
) -> Tensor:
    need(x.ndim == 4 and not ceil and x.numel() > 0 and x.is_floating_point())
    ks, ps = one_each(kernel, 2), one_each(padding, 2)
    steps = one_each(stride, 2) if len(stride) else ks
    need(min(*ks, *steps) > 0 and all(0 <= p <= k // 2 for p, k in zip(ps, ks, strict=True)))
    sizes = zip(x.shape[2:], ks, steps, ps, strict=True)
    out = [(n + 2 * p - k) // s + 1 for n, k, s, p in sizes]
    need(min(out) > 0)
    return pictures((*x.shape[:2], *out), x.dtype, [x])


@rule("avg_pool2d_backward")
def _avg_pool_backward(grad: Tensor, x: Tensor, *_: Any) -> Tensor:
    need(grad.ndim == x.ndim == 4 and grad.shape[:2] == x.shape[:2])
    return pictures(x.shape, grad.dtype, [x])


@rule("pixel_shuffle")
def _pixel_shuffle(x: Tensor, factor: int) -> Tensor:
    need(x.ndim > 2 and factor > 0 and x.shape[-3] % factor**2 == 0)
    *rows, c, h, w = x.shape
    return new(x, (*rows, c // factor**2, h * factor, w * factor))


@rule("pixel_unshuffle")
def _pixel_unshuffle(x: Tensor, factor: int) -> Tensor:
    need(x.ndim > 2 and factor > 0)
    *rows, c, h, w = x.shape
    need(h % factor == 0 and w % factor == 0)
    return pictures((*rows, c * factor**2, h // factor, w // factor), x.dtype, [x])
