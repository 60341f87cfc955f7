"""Rules of elementwise operations, of their kind, and of tensors made from nothing."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from nodegraph.runtime.meta.layout import META, Dtypes, broadcast, dtype_of, elementwise, like, need
from nodegraph.runtime.meta.registry import rule


def pointwise(func: Any, inplace: bool, known: Dtypes, /, *args: Any, **kwargs: Any) -> Tensor:
    """The result of an elementwise operation; of one in place what it changes."""
    operands = [x for x in args if isinstance(x, Tensor)]
    if kwargs:
        operands += [x for x in kwargs.values() if isinstance(x, Tensor)]
    dtype = dtype_of(known, func, args, kwargs)
    shape = broadcast(operands)
    if not inplace:
        return elementwise(shape, operands, dtype)
    need(tuple(shape) == tuple(args[0].shape))
    return args[0]


@rule("masked_fill_.Scalar", "masked_fill_.Tensor")
def _masked(x: Tensor, mask: Tensor, value: Any) -> Tensor:
    need(mask.dtype is torch.bool and tuple(broadcast([x, mask])) == tuple(x.shape))
    return x


def random(x: Tensor, *_: Any, **__: Any) -> Tensor:
    """What is filled with random numbers."""
    need(x.is_floating_point())
    return x


@rule("clone")
def _clone(x: Tensor, *, memory_format: Any = None) -> Tensor:
    return like(x, None, memory_format)


@rule("rand_like", "randn_like")
def _random_like(x: Tensor, *, dtype: Any = None, memory_format: Any = None, **_: Any) -> Tensor:
    need((dtype or x.dtype).is_floating_point)
    return like(x, dtype, memory_format)


@rule("empty_like", "zeros_like", "ones_like")
def _like(x: Tensor, *, dtype: Any = None, memory_format: Any = None, **_: Any) -> Tensor:
    return like(x, dtype, memory_format)


@rule("full_like")
def _full_like(
    x: Tensor, value: Any, *, dtype: Any = None, memory_format: Any = None, **_: Any
) -> Tensor:
    return like(x, dtype, memory_format)


@rule("randn", "rand", "zeros", "ones")
def _filled(size: Sequence[int], *, dtype: Any = None, **_: Any) -> Tensor:
    return torch.empty(tuple(size), dtype=dtype, device=META)


@rule("full")
def _full(size: Sequence[int], value: Any, *, dtype: Any = None, **_: Any) -> Tensor:
    need(dtype is not None)
    return torch.empty(tuple(size), dtype=dtype, device=META)


@rule("eye", "eye.m")
def _eye(rows: int, columns: int | None = None, *, dtype: Any = None, **_: Any) -> Tensor:
    return _filled((rows, rows if columns is None else columns), dtype=dtype)


@rule("linspace")
def _linspace(start: float, end: float, steps: int, *, dtype: Any = None, **_: Any) -> Tensor:
    need(steps >= 0 and not isinstance(start, complex) and not isinstance(end, complex))
    return torch.empty(steps, dtype=dtype, device=META)


@rule("_unsafe_view")
def _unsafe_view(x: Tensor, size: Sequence[int]) -> Tensor:
    return x.view(tuple(size))
