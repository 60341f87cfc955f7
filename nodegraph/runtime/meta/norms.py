"""Rules of normalisation and softmax, and their backward passes."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from nodegraph.runtime.meta.layout import dims_of, elementwise, in_order, need, new, pictures
from nodegraph.runtime.meta.registry import rule


def _wide(x: Tensor) -> torch.dtype:
    """What statistics are computed in."""
    need(x.is_floating_point())
    return torch.float32 if x.dtype in (torch.float16, torch.bfloat16) else x.dtype


@rule("native_group_norm")
def _group_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    n: int,
    c: int,
    inner: int,
    groups: int,
    eps: float,
) -> tuple[Tensor, ...]:
    need(x.ndim >= 2 and c > 0 and inner > 0 and groups > 0 and c % groups == 0)
    need(x.numel() == n * c * inner and x.shape[:2] == (n, c))
    for each in (weight, bias):
        need(each is None or (each.dtype == x.dtype and tuple(each.shape) == (c,)))
    need(x.is_floating_point())
    statistics = (new(x, (n, groups)) for _ in range(2))
    return pictures(x.shape, x.dtype, [x]), *statistics


@rule("native_group_norm_backward")
def _group_norm_backward(
    grad: Tensor,
    x: Tensor,
    mean: Tensor,
    rstd: Tensor,
    weight: Tensor | None,
    n: int,
    c: int,
    *rest: Any,
) -> tuple[Any, ...]:
    wanted = rest[-1]
    need(grad.shape == x.shape and grad.dtype == x.dtype)
    need(in_order(x))
    return (
        new(x, x.shape) if wanted[0] else None,
        new(x, (c,)) if wanted[1] else None,
        new(x, (c,)) if wanted[2] else None,
    )


@rule("native_layer_norm")
def _layer_norm(
    x: Tensor, shape: Sequence[int], weight: Tensor | None, bias: Tensor | None, eps: float
) -> tuple[Tensor, ...]:
    size = tuple(shape)
    need(len(size) > 0 and tuple(x.shape[-len(size) :]) == size)
    for each in (weight, bias):
        need(each is None or (each.dtype == x.dtype and tuple(each.shape) == size))
    rows = (*x.shape[: x.ndim - len(size)], *(1 for _ in size))
    return new(x, x.shape), new(x, rows, _wide(x)), new(x, rows, _wide(x))


@rule("native_layer_norm_backward")
def _layer_norm_backward(
    grad: Tensor,
    x: Tensor,
    shape: Sequence[int],
    mean: Tensor,
    rstd: Tensor,
    weight: Any,
    bias: Any,
    wanted: Any,
) -> tuple[Any, ...]:
    need(grad.shape == x.shape and grad.dtype == x.dtype)
    need(in_order(grad) and in_order(x))
    return (
        new(x, x.shape) if wanted[0] else None,
        new(x, shape) if wanted[1] and weight is not None else None,
        new(x, shape) if wanted[2] and bias is not None else None,
    )


@rule("_softmax", "_log_softmax")
def _softmax(x: Tensor, dim: int, half_to_float: bool) -> Tensor:
    need(x.is_floating_point() and not half_to_float)
    dims_of(x, [dim])
    return new(x, x.shape)


@rule("_safe_softmax")
def _safe_softmax(x: Tensor, dim: int, dtype: Any = None) -> Tensor:
    need(dtype is None)
    return _softmax(x, dim, False)


@rule("_softmax_backward_data", "_log_softmax_backward_data")
def _softmax_backward(grad: Tensor, made: Tensor, dim: int, dtype: torch.dtype) -> Tensor:
    need(grad.shape == made.shape and grad.dtype == made.dtype == dtype)
    return elementwise(grad.shape, [grad, made], dtype)
