"""Rules of operations that leave dimensions out."""

from typing import Any

import torch
from torch import Tensor

from nodegraph.runtime.meta.layout import META, dims_of, need
from nodegraph.runtime.meta.registry import rule


def _reduced(x: Tensor, dim: Any, keepdim: bool, dtype: torch.dtype) -> Tensor:
    gone = dims_of(x, dim)
    if keepdim:
        shape = [1 if d in gone else size for d, size in enumerate(x.shape)]
    else:
        shape = [size for d, size in enumerate(x.shape) if d not in gone]
    return torch.empty(shape, dtype=dtype, device=META)


@rule("sum", "sum.dim_IntList", "prod", "prod.dim_int")
def _sum(x: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    whole = torch.int64 if not (x.is_floating_point() or x.is_complex()) else x.dtype
    return _reduced(x, dim, keepdim, dtype or whole)


@rule("mean", "mean.dim")
def _mean(x: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    wanted: torch.dtype = dtype or x.dtype
    need(wanted.is_floating_point)
    return _reduced(x, dim, keepdim, wanted)


@rule("amax", "amin")
def _extreme(x: Tensor, dim: Any = (), keepdim: bool = False) -> Tensor:
    need(x.numel() > 0)
    return _reduced(x, dim, keepdim, x.dtype)


@rule("max", "min")
def _most(x: Tensor) -> Tensor:
    return _extreme(x)


@rule("max.dim", "min.dim")
def _most_and_where(x: Tensor, dim: int, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    need(x.numel() > 0)
    return _reduced(x, dim, keepdim, x.dtype), _reduced(x, dim, keepdim, torch.int64)


@rule("argmax", "argmin")
def _where(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    need(x.numel() > 0 and not x.is_complex() and x.dtype is not torch.bool)
    return _reduced(x, dim, keepdim, torch.int64)


@rule("all", "any", "all.dim", "any.dim", "all.dims", "any.dims")
def _truth(x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    return _reduced(x, dim, keepdim, torch.uint8 if x.dtype is torch.uint8 else torch.bool)


@rule("var.correction", "std.correction")
def _variance(
    x: Tensor, dim: Any = None, *, correction: Any = None, keepdim: bool = False
) -> Tensor:
    need(x.is_floating_point())
    return _reduced(x, dim, keepdim, x.dtype)


@rule("linalg_vector_norm")
def _norm(
    x: Tensor, ord: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    need(x.is_floating_point() and dtype is None and x.numel() > 0)
    return _reduced(x, dim, keepdim, x.dtype)


@rule("logsumexp")
def _logsumexp(x: Tensor, dim: Any, keepdim: bool = False) -> Tensor:
    need(x.is_floating_point())
    return _reduced(x, dim, keepdim, x.dtype)
