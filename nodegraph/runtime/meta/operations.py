"""What an abstract run asks of an operation: its name, its shape rule, and the formula of what it costs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils.flop_counter import flop_registry

from nodegraph.runtime.meta.rules import Rule, rule_of

_READS_VALUES = (
    "aten::_local_scalar_dense",
    "aten::nonzero",
    "aten::equal",
    "aten::is_nonzero",
    "aten::unique",
)
_SAME_DTYPE = ("aten::mm", "aten::bmm", "aten::addmm", "aten::convolution", "aten::linear")


@dataclass(frozen=True, slots=True)
class Facts:
    """What an abstract run asks of an operation: its name, its shape rule, and the formula of what it costs."""

    name: str
    mutable: bool
    reads_values: bool
    same_dtype: bool
    rule: Rule | None
    formula: Callable[[Any, Any, Any], int] | None
    """Operations by arguments, keywords and result."""


_PRODUCTS = {"aten::addmm": torch.ops.aten.mm, "aten::baddbmm": torch.ops.aten.bmm}


def _formula(func: Any) -> Callable[[Any, Any, Any], int] | None:
    """torch's formula. Its own are wrapped in what finds tensors anywhere, which takes longer than all the rest."""
    product = _PRODUCTS.get(func._schema.name)
    if product is not None:  # the sum costs nothing, says torch too, but looks for tensors again
        factors: Any = cast(Any, flop_registry)[product].__wrapped__
        return lambda args, kwargs, made: cast(int, factors(*map(_shape, args[1:3])))
    known: Any = cast(Any, flop_registry).get(func.overloadpacket)
    of_shapes: Any = getattr(known, "__wrapped__", None)
    if known is None or of_shapes is None:
        return known and (lambda args, kwargs, made: known(*args, **kwargs, out_val=made))

    def formula(args: Any, kwargs: Any, made: Any) -> int:
        named = {name: _shape(value) for name, value in kwargs.items()}
        return of_shapes(*map(_shape, args), **named, out_shape=_shape(made))

    return formula


def _shape(value: Any) -> Any:
    """The shape of a tensor, or those of several; anything else as it is."""
    if isinstance(value, Tensor):
        return value.shape
    if not isinstance(value, list | tuple):
        return value
    several = cast("list[Any]", value)
    return tuple(map(_shape, several)) if leaves(several) else several


_known: dict[int, Facts] = {}


def facts_of(func: Any) -> Facts:
    """What is known of an operation, by its identity: operations live as long as torch, and hash themselves in Python."""
    known = _known.get(id(func))
    return known or _known.setdefault(id(func), _made_of(func))


def _made_of(func: Any) -> Facts:
    name: str = func._schema.name
    return Facts(
        name,
        func._schema.is_mutable,
        name.startswith(_READS_VALUES),
        name in _SAME_DTYPE,
        rule_of(func),
        _formula(func),
    )


def leaves(made: Any) -> list[Tensor]:
    """The tensors of an operation's result."""
    if isinstance(made, Tensor):
        return [made]
    several = cast("list[Any]", made) if isinstance(made, list | tuple) else [made]
    return [leaf for leaf in several if isinstance(leaf, Tensor)]
