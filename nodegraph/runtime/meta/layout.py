"""How results lie in memory on the meta device: dtypes, and strides in the order that torch would choose."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

META = torch.device("meta")


class Unknown(Exception):
    """A rule does not know what comes of these arguments: torch's own kernel is to say."""


def need(fits: bool) -> None:
    """Go on where the arguments fit. Raises Unknown where not, so that torch tells what is wrong."""
    if not fits:
        raise Unknown


def new(like: Tensor, shape: Iterable[int], dtype: torch.dtype | None = None) -> Tensor:
    """A contiguous tensor without values."""
    return torch.empty(tuple(shape), dtype=dtype or like.dtype, device=META)


def broadcast(operands: Sequence[Tensor]) -> Sequence[int]:
    """The shape of operands together. Raises Unknown where they do not fit."""
    first = operands[0].shape
    if len(operands) == 1 or all(x.shape == first for x in operands):
        return first
    sizes = [1] * max(x.ndim for x in operands)
    for x in operands:
        for at, size in enumerate(x.shape, len(sizes) - x.ndim):
            if size != 1:
                need(sizes[at] in (1, size))
                sizes[at] = size
    return sizes


def elementwise(shape: Sequence[int], operands: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
    """The result of an elementwise operation: contiguous, or in the order of its operands where they are permuted."""
    if all(x.is_contiguous() for x in operands):
        return torch.empty(shape, dtype=dtype, device=META)
    return ordered(shape, _order(shape, operands), dtype)


def ordered(shape: Sequence[int], order: Sequence[int], dtype: torch.dtype) -> Tensor:
    """A dense tensor whose dimensions lie in memory in this order, the outermost first."""
    strides, step = [1] * len(shape), 1
    for dim in reversed(order):
        strides[dim] = step
        step *= max(shape[dim], 1)
    return torch.empty_strided(tuple(shape), strides, dtype=dtype, device=META)


def _order(shape: Sequence[int], operands: Sequence[Tensor]) -> list[int]:
    """The order of dimensions in memory that suits the operands: a stable sort by strides, the first operand's above all."""
    spread = [_spread(x, shape) for x in operands]
    order = list(range(len(shape)))[::-1]
    for start in range(1, len(order)):
        here = start
        for there in range(start - 1, -1, -1):
            verdict = _inner(order[there], order[here], shape, spread)
            if verdict > 0:
                order[there], order[here] = order[here], order[there]
                here = there
            elif verdict < 0:
                break
    return order[::-1]


def _spread(x: Tensor, shape: Sequence[int]) -> list[int]:
    """The strides of a tensor that is broadcast to a shape."""
    own = zip(x.shape, x.stride(), shape[len(shape) - x.ndim :], strict=True)
    strides = [0 if size == 1 != whole else stride for size, stride, whole in own]
    return [0] * (len(shape) - x.ndim) + strides


def _inner(a: int, b: int, shape: Sequence[int], spread: Sequence[Sequence[int]]) -> int:
    """1 where dimension `b` is to lie within `a`, -1 where they lie well, 0 where no operand tells."""
    for strides in spread:
        one, other = strides[a], strides[b]
        if one == 0 or other == 0 or (one == other and shape[b] >= shape[a]):
            continue
        return -1 if other > one else 1
    return 0


def in_order(x: Tensor) -> bool:
    """Whether no dimension lies in memory outside of one before it."""
    steps = [step for step, size in zip(x.stride(), x.shape, strict=True) if size > 1 and step]
    return steps == sorted(steps, reverse=True)


def like(x: Tensor, dtype: torch.dtype | None = None, memory_format: Any = None) -> Tensor:
    """A tensor of the same form, in the order of x or in a memory format."""
    dtype = dtype or x.dtype
    if memory_format is None or memory_format is torch.preserve_format:
        return elementwise(x.shape, [x], dtype)
    return torch.empty(x.shape, dtype=dtype, device=META, memory_format=memory_format)


def pictures(shape: Sequence[int], dtype: torch.dtype, sources: Sequence[Tensor]) -> Tensor:
    """A contiguous tensor, or one with channels innermost where all sources are."""
    if len(shape) in (4, 5) and all(channels_last(x) for x in sources):
        return ordered(shape, (0, *range(2, len(shape)), 1), dtype)
    return torch.empty(shape, dtype=dtype, device=META)


def channels_last(x: Tensor) -> bool:
    """Whether the strides say that the channels of a picture or film lie innermost."""
    if x.ndim not in (4, 5) or (x.is_contiguous() and 1 not in x.shape):
        return False
    sizes, strides, least = x.shape, x.stride(), 0
    if strides[1] == 0:
        return False
    for dim in (1, *range(x.ndim - 1, 1, -1), 0):
        outside = dim == 0 and least == strides[1]
        if sizes[dim] == 0 or strides[dim] < least or outside:
            return False
        least = strides[dim] * max(sizes[dim], 1)
    return True


def dims_of(x: Tensor, dim: Any) -> set[int]:
    """Dimensions counted from the front; of an empty list or None all."""
    several = [dim] if isinstance(dim, int) else list(dim or range(x.ndim))
    bound = max(x.ndim, 1)
    need(all(-bound <= d < bound for d in several))
    found = {d % bound for d in several}
    need(len(found) == len(several))
    return found


def one_each(value: int | Sequence[int], dims: int) -> list[int]:
    """A number for every dimension. Raises Unknown for a list of another length."""
    several = [value] if isinstance(value, int) else list(value)
    several = several * dims if len(several) == 1 else several
    need(len(several) == dims)
    return several


Dtypes = dict[tuple[Any, ...], torch.dtype | None]
"""The dtypes that an operation gives, by its arguments' dtypes, ranks and options; None where it gives none."""


def dtype_of(
    known: Dtypes, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]
) -> torch.dtype:
    """The dtype of an elementwise result, found out on the CPU on tensors of one element. Raises Unknown."""
    signature = *map(_mark, args), *((name, _mark(x)) for name, x in kwargs.items())
    try:
        dtype = known[signature]
    except KeyError:
        dtype = known[signature] = _tried(function, args, kwargs)
    except TypeError:  # an argument that is no key
        raise Unknown from None
    if dtype is None:
        raise Unknown
    return dtype


def _mark(value: Any) -> Any:
    """What of an argument a result's dtype may depend on."""
    if isinstance(value, Tensor):
        return value.dtype, value.ndim
    if isinstance(value, bool | int | float | complex):
        return type(value)
    return value


def _tried(
    function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]
) -> torch.dtype | None:
    try:
        tiny = {name: _tiny(x) for name, x in kwargs.items()}
        made = function(*map(_tiny, args), **tiny)
    except (RuntimeError, TypeError, ValueError, IndexError):
        return None
    return made.dtype if isinstance(made, Tensor) else None


def _tiny(value: Any) -> Any:
    if not isinstance(value, Tensor):
        return value
    return torch.ones([1] * value.ndim, dtype=value.dtype)
