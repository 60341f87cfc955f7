"""Rules of products and convolutions, and their backward passes."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from nodegraph.runtime.meta.layout import broadcast, need, new, one_each, ordered, pictures
from nodegraph.runtime.meta.registry import rule


@rule("mm")
def _mm(a: Tensor, b: Tensor) -> Tensor:
    need(a.ndim == b.ndim == 2 and a.shape[1] == b.shape[0] and a.dtype == b.dtype)
    return new(a, (a.shape[0], b.shape[1]))


@rule("bmm")
def _bmm(a: Tensor, b: Tensor) -> Tensor:
    need(a.ndim == b.ndim == 3 and a.dtype == b.dtype)
    need(a.shape[0] == b.shape[0] and a.shape[2] == b.shape[1])
    return new(a, (a.shape[0], a.shape[1], b.shape[2]))


@rule("addmm", "baddbmm")
def _addmm(x: Tensor, a: Tensor, b: Tensor, **_: Any) -> Tensor:
    made = _mm(a, b) if a.ndim == 2 else _bmm(a, b)
    need(x.dtype == a.dtype and x.ndim <= made.ndim)
    need(tuple(broadcast([made, x])) == tuple(made.shape))
    return made


@rule("convolution")
def _convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Tensor:
    dims = x.ndim - 2
    need(dims > 0 and x.ndim == weight.ndim and x.dtype == weight.dtype and x.numel() > 0)
    steps, pads, gaps = (one_each(v, dims) for v in (stride, padding, dilation))
    need(groups > 0 and min(steps) > 0 and min(gaps) > 0 and min(pads) >= 0)
    reach = [gap * (k - 1) for gap, k in zip(gaps, weight.shape[2:], strict=True)]
    sizes = zip(x.shape[2:], reach, steps, pads, strict=True)
    if transposed:
        need(x.shape[1] == weight.shape[0] and x.shape[1] % groups == 0)
        more = one_each(output_padding, dims)
        need(all(0 <= m < max(s, g) for m, s, g in zip(more, steps, gaps, strict=True)))
        out = [(n - 1) * s - 2 * p + r for n, r, s, p in sizes]
        out = [n + m + 1 for n, m in zip(out, more, strict=True)]
        channels = weight.shape[1] * groups
    else:
        need(weight.shape[1] * groups == x.shape[1] and weight.shape[0] % groups == 0)
        out = [(n + 2 * p - r - 1) // s + 1 for n, r, s, p in sizes]
        channels = weight.shape[0]
    need(min(out) > 0 and channels > 0)
    need(bias is None or (bias.dtype == x.dtype and tuple(bias.shape) == (channels,)))
    return new(x, (x.shape[0], channels, *out))


@rule("convolution_backward")
def _convolution_backward(
    grad: Tensor, x: Tensor, weight: Tensor, bias_sizes: Any, *rest: Any
) -> tuple[Any, ...]:
    wanted = rest[-1]
    last = [s for s in (x, weight) if pictures(s.shape, s.dtype, [s]).stride() == s.stride()]
    source = [s for s in last if not s.is_contiguous()][:1] or [grad.new_empty(0)]
    return (
        pictures(x.shape, grad.dtype, source) if wanted[0] else None,
        pictures(weight.shape, grad.dtype, source) if wanted[1] else None,
        new(grad, bias_sizes) if wanted[2] else None,
    )


@rule("_linalg_eigh")
def _eigh(x: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
    need(x.ndim >= 2 and x.shape[-1] == x.shape[-2] and x.is_floating_point())
    order = (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2)
    return new(x, x.shape[:-1]), ordered(x.shape, order, x.dtype)
