"""Rules of operations that join, repeat, select and order elements."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from nodegraph.runtime.meta.layout import broadcast, dims_of, need, new, pictures
from nodegraph.runtime.meta.registry import rule


@rule("cat")
def _cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    first = tensors[0]
    at = dim + first.ndim if dim < 0 else dim
    need(0 <= at < first.ndim)
    shape, dtype = list(first.shape), first.dtype
    for x in tensors[1:]:
        need(x.ndim == first.ndim)
        need(all(a == b for d, (a, b) in enumerate(zip(shape, x.shape, strict=True)) if d != at))
        shape[at] += x.shape[at]
        dtype = torch.promote_types(dtype, x.dtype)
    return pictures(shape, dtype, tensors)


@rule("stack")
def _stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    first = tensors[0]
    need(all(x.shape == first.shape and x.dtype == first.dtype for x in tensors))
    need(-first.ndim - 1 <= dim <= first.ndim and all(x.is_contiguous() for x in tensors))
    shape = list(first.shape)
    shape.insert(dim % (first.ndim + 1), len(tensors))
    return new(first, shape)


@rule("repeat")
def _repeat(x: Tensor, repeats: Sequence[int]) -> Tensor:
    need(len(repeats) >= x.ndim and all(r >= 0 for r in repeats))
    padded = (*(1 for _ in range(len(repeats) - x.ndim)), *x.shape)
    return new(x, (size * r for size, r in zip(padded, repeats, strict=True)))


@rule("index.Tensor")
def _index(x: Tensor, indices: Sequence[Tensor | None]) -> Tensor:
    given = [i for i, index in enumerate(indices) if index is not None]
    found = [index for index in indices if index is not None]
    need(len(indices) <= x.ndim and given == list(range(given[0], given[-1] + 1)))
    need(all(i.dtype in (torch.int64, torch.int32) for i in found) and x.is_contiguous())
    chosen = broadcast(found)
    return new(x, (*x.shape[: given[0]], *chosen, *x.shape[given[-1] + 1 :]))


@rule("embedding")
def _embedding(weight: Tensor, ids: Tensor, *_: Any, **__: Any) -> Tensor:
    need(weight.ndim == 2 and ids.dtype in (torch.int64, torch.int32) and weight.is_contiguous())
    return new(weight, (*ids.shape, weight.shape[1]))


@rule("embedding_dense_backward")
def _embedding_backward(grad: Tensor, ids: Tensor, rows: int, *_: Any) -> Tensor:
    return new(grad, (rows, grad.shape[-1]))


@rule("gather")
def _gather(x: Tensor, dim: int, index: Tensor, **_: Any) -> Tensor:
    _check_index(x, dim, index)
    return new(x, index.shape)


@rule("scatter_add", "scatter.src")
def _scatter(x: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    _check_index(x, dim, index)
    need(source.ndim == x.ndim and source.dtype == x.dtype)
    need(all(i <= s for i, s in zip(index.shape, source.shape, strict=True)))
    return new(x, x.shape)


def _check_index(x: Tensor, dim: int, index: Tensor) -> None:
    need(index.dtype is torch.int64 and index.ndim == x.ndim > 0)
    (at,) = dims_of(x, dim)
    pairs = enumerate(zip(index.shape, x.shape, strict=True))
    need(all(d == at or i <= size for d, (i, size) in pairs))


@rule("tril", "triu", "flip", "roll")
def _permuted(x: Tensor, *_: Any) -> Tensor:
    need(x.is_contiguous())
    return new(x, x.shape)


@rule("sort", "sort.stable")
def _sorted(x: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
    need(x.ndim > 0)
    return _permuted(x), new(x, x.shape, torch.int64)


@rule("topk")
def _top(x: Tensor, count: int, dim: int = -1, *_: Any) -> tuple[Tensor, Tensor]:
    (at,) = dims_of(x, dim)
    need(x.ndim > 0 and 0 <= count <= x.shape[at])
    shape = [count if d == at else size for d, size in enumerate(x.shape)]
    return new(x, shape), new(x, shape, torch.int64)


@rule("cumsum", "cumprod")
def _accumulated(x: Tensor, dim: int) -> Tensor:
    need(x.is_floating_point())
    dims_of(x, dim)
    return _permuted(x)


@rule("select_backward", "slice_backward")
def _zeros_around(grad: Tensor, sizes: Sequence[int], *_: Any) -> Tensor:
    return new(grad, sizes)
