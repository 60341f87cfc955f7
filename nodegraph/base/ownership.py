"""Whose a value is: what is kept is never changed, neither by a node that is given it nor by a caller who gets it.

A caller gets copies of the arrays inside a value. A node gets the value itself; its arrays are looked at before and after.
"""

import copy
import operator
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from functools import cache
from typing import Any, Literal, cast

from nodegraph.base.contents import checksum

PLAIN = frozenset((int, float, str, bool, type(None)))
_ROWS = (list, tuple)
Kind = Literal["atom", "tensor", "array", "items", "mapping", "record", "other"]
States = list[tuple[str, Any, tuple[Any, ...]]]
"""The arrays on the ports of a node: port, array, and what there was to it."""
Marks = list[tuple[Any, Any]]
"""The arrays of a result, and what tells whether they are as they were."""


@cache
def _kind(cls: Any) -> Kind:
    """What values of a class are made of. A tensor's class is not there before torch is."""
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    if torch is not None and issubclass(cls, torch.Tensor):
        return "tensor"
    if numpy is not None and issubclass(cls, numpy.ndarray):
        return "array"
    if issubclass(cls, str | bytes | int | float | complex | type(None)):
        return "atom"
    if issubclass(cls, list | tuple | set | frozenset):
        return "items"
    if issubclass(cls, dict):
        return "mapping"
    return "record" if hasattr(cls, "__dataclass_fields__") else "other"


@cache
def _names(cls: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(cast(Any, cls)))


def _class(value: Any) -> type[Any]:
    return cast("type[Any]", type(value))


def plain(value: Any) -> bool:
    """Whether a value is a word or a number, or a list or tuple of those: it holds no arrays."""
    kind = _class(value)
    return kind in PLAIN or (kind in _ROWS and PLAIN.issuperset(map(type, value)))


def arrays(value: Any) -> Iterator[Any]:
    """Every tensor and array inside a value: in containers and dataclasses, each once."""
    if plain(value):
        return
    waiting, seen = [value], set[int]()
    while waiting:
        now: Any = waiting.pop()
        if type(now) in PLAIN:
            continue
        kind = _kind(_class(now))
        if kind == "atom" or id(now) in seen:
            continue
        seen.add(id(now))
        if kind in ("tensor", "array"):
            yield now
        elif kind != "other":
            waiting.extend(reversed(_parts(now, kind)))


def _parts(value: Any, kind: Kind) -> list[Any]:
    """What a container or a dataclass holds."""
    if kind == "record":
        return [getattr(value, name) for name in _names(_class(value))]
    return list(value.values() if kind == "mapping" else value)


def states(inputs: Mapping[str, Any]) -> States:
    """The arrays on each port, and what there is to them now, for `changed`."""
    return [
        (name, array, _state(array))
        for name, value in inputs.items()
        if not plain(value)
        for array in arrays(value)
    ]


def changed(before: States) -> str | None:
    """The first port with an array that is not what it was."""
    return next((name for name, array, state in before if _state(array) != state), None)


def marks(values: Iterable[Any]) -> Marks:
    """The arrays of results, and what tells whether they are written to later: a tensor's version, a checksum of others.

    Cheaper than `states`: what is written past a tensor's version (`.data`, `.numpy()`) does not show.
    """
    if plain(values):
        return []
    return [
        (array, _mark(array)) for value in values if not plain(value) for array in arrays(value)
    ]


def touched(before: Marks) -> bool:
    """Whether an array of results was written to since."""
    return any(_mark(array) != mark for array, mark in before)


def _mark(array: Any) -> Any:
    if _kind(_class(array)) == "tensor":
        return None if array.is_inference() else array._version
    return _state(array)


def _state(array: Any) -> tuple[Any, ...]:
    if _kind(_class(array)) == "tensor":
        from nodegraph.base.tensors import state

        return state(array)
    return (id(array), array.shape, array.strides, str(array.dtype), _checksum(array))


def _checksum(array: Any) -> bytes:
    numpy: Any = sys.modules["numpy"]
    if array.dtype.hasobject:
        return b""
    return checksum(numpy.ascontiguousarray(array).reshape(-1).view(numpy.uint8))


def unshared(value: Any) -> Any:
    """A container as a node's own, which it may change; what is in it is not."""
    return copy.copy(value) if type(value) in (list, dict, set) else value


def own(value: Any, known: dict[int, Any] | None = None) -> Any:
    """The value as a caller's own: its arrays and containers are copies; what cannot be changed is as it was.

    Things that one value holds several times are one thing in its copy too.
    """
    known = {} if known is None else known
    copied = _COPY.get(_kind(_class(value)))
    if copied is None:
        return value
    if id(value) not in known:
        known[id(value)] = copied(value, known), value
    return known[id(value)][0]


def _own_tensor(value: Any, known: dict[int, Any]) -> Any:
    return value.detach().clone()


def _own_array(value: Any, known: dict[int, Any]) -> Any:
    return value.copy()


def _own_items(value: Iterable[Any], known: dict[int, Any]) -> Any:
    items: Any = [own(item, known) for item in value]
    kind: Any = _class(value)
    if kind in (tuple, frozenset) and all(map(operator.is_, items, value)):
        return value
    return cast(Any, kind(*items) if hasattr(value, "_fields") else kind(items))


def _own_mapping(value: Any, known: dict[int, Any]) -> Any:
    made = copy.copy(value)
    for key, item in value.items():
        made[key] = own(item, known)
    return made


def _own_record(value: Any, known: dict[int, Any]) -> Any:
    parts = {name: getattr(value, name) for name in _names(_class(value))}
    copies = {name: own(part, known) for name, part in parts.items()}
    frozen: Any = _class(value).__dataclass_params__.frozen
    if frozen and all(copies[name] is parts[name] for name in parts):
        return value
    made = copy.copy(value)
    for name in set(getattr(made, "__dict__", ())) - parts.keys():
        del made.__dict__[name]  # what was worked out of the parts is worked out anew
    for name, part in copies.items():
        object.__setattr__(made, name, part)
    return made


_COPY: dict[str, Callable[[Any, dict[int, Any]], Any]] = {
    "tensor": _own_tensor,
    "array": _own_array,
    "items": _own_items,
    "mapping": _own_mapping,
    "record": _own_record,
}
