"""Values held against their types: what a node gives is what it promised, and what it is given is what it takes."""

import numbers
import sys
import types
import typing
from collections.abc import Callable
from functools import cache
from typing import Any, cast

from nodegraph.library.node import NodeSpec, Port
from nodegraph.library.port import PortType, TypeRef

YIELDS = (
    "a generator is annotated `-> Generator[Progress, None, …]`, and yields `Progress(done, total)`"
)
PortTypes = Callable[[str], PortType | None]
"""Port types by name; None for plain numbers and words, and for names that nobody declares."""
_EXACT: dict[str, type] = {"int": int, "float": float, "str": str, "bool": bool}
_ANY = ("*", "?")


class WrongValue(ValueError):
    """A value that is not of its type: `promised` and `given`, in words."""

    def __init__(self, promised: str, given: str) -> None:
        super().__init__(promised, given)
        self.promised = promised
        self.given = given

    def __str__(self) -> str:
        return f"{self.promised} is wanted, and this is {self.given}"


class WrongResult(TypeError):
    """What a node gave is not what its signature says; `hint` says how to write it."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message, hint)
        self.hint = hint

    def __str__(self) -> str:
        return str(self.args[0])


def outputs_of(
    spec: NodeSpec, refs: tuple[TypeRef, ...], result: Any, port_type: PortTypes
) -> tuple[Any, ...]:
    """The outputs of a node, in order, each of its type. Raises WrongResult."""
    if len(refs) == 1 and type(result) is _EXACT.get(refs[0].name) and _free(spec.outputs[0]):
        return (result,)
    values = _several(spec, result)
    return tuple(
        _output(spec, port, ref, value, port_type)
        for port, ref, value in zip(spec.outputs, refs, values, strict=True)
    )


def _free(port: Port) -> bool:
    """Whether any value of its type may stand on the one output of a node."""
    return port.name == "output" and port.menu is None and port.range is None


def _several(spec: NodeSpec, result: Any) -> tuple[Any, ...]:
    count = len(spec.outputs)
    fields: object = getattr(result, "_fields", None)
    named = tuple(port.name for port in spec.outputs)
    if count == 1 and spec.outputs[0].name == "output" and fields != ("output",):
        return (result,)
    if count == 0 and result is None:
        return ()
    found = cast("tuple[Any, ...] | None", result if isinstance(result, tuple) else None)
    others = fields is not None and fields != named
    if count and found is not None and len(found) == count and not others:
        return found
    names = ", ".join(named)
    promised = f"{count} output{'s' * (count != 1)} ({names})" if count else "no output"
    given = shown(result) if found is None else f"{len(found)}"
    if isinstance(fields, tuple) and others:
        given += f" ({', '.join(cast('tuple[str, ...]', fields))})"
    raise WrongResult(f"promised {promised} and gave {given}", _mend(spec, result))


def _output(spec: NodeSpec, port: Port, ref: TypeRef, value: Any, port_type: PortTypes) -> Any:
    if value is None and not port.required:
        return None
    try:
        made = held(value, ref, port_type)
        _within(made, port)
    except WrongValue as wrong:
        name = f"{port.name}: " if len(spec.outputs) > 1 else ""
        message = f"promised {name}{wrong.promised} and gave {wrong.given}"
        raise WrongResult(message, _mend(spec, value)) from None
    return made


def _mend(spec: NodeSpec, value: Any) -> str | None:
    """What is probably wrong with a node that gives this."""
    if value is None and spec.generator:
        return "a generator gives its result by `return`, after its last `yield`"
    if value is None:
        return "return the result, or say `| None` in the signature"
    if isinstance(value, types.GeneratorType) and not spec.generator:
        return "a function that yields is annotated `-> Generator[Progress, None, …]`"
    return None


def _within(value: Any, port: Port) -> None:
    """Raises WrongValue for a number out of the range of its port, or a value that is not in its menu."""
    if port.menu is None and port.range is None:
        return
    for item in cast("list[Any]", value) if isinstance(value, list) else [value]:
        if port.menu is not None and item not in port.menu:
            raise WrongValue(f"one of {', '.join(map(repr, port.menu))}", shown(item))
        low, high = (port.range.low, port.range.high) if port.range else (None, None)
        if isinstance(item, int | float) and not (
            (low is None or item >= low) and (high is None or item <= high)
        ):
            bounds = f"at least {low:g}" if high is None else f"at most {high:g}"
            both = low is not None and high is not None
            raise WrongValue(f"a number from {low:g} to {high:g}" if both else bounds, shown(item))


def held(value: Any, ref: TypeRef, port_type: PortTypes) -> Any:
    """The value, plain numbers in the class of their type. Raises WrongValue where it is not of the type."""
    plain = _EXACT.get(ref.name)
    if plain is not None:
        return value if type(value) is plain else _number(value, plain, ref.name)
    if ref.name in _ANY or ref.variable:
        return value
    if ref.name == "list":
        return _items(value, ref, port_type)
    if ref.name == "|":
        return _member(value, ref, port_type)
    port = port_type(ref.name)
    return value if port is None else _domain(value, port, ref)


def _items(value: Any, ref: TypeRef, port_type: PortTypes) -> list[Any]:
    if not isinstance(value, list):
        raise WrongValue(str(ref), shown(value))
    items = cast("list[Any]", value)
    made = [held(item, ref.args[0], port_type) for item in items]
    return items if all(a is b for a, b in zip(made, items, strict=True)) else made


def _member(value: Any, ref: TypeRef, port_type: PortTypes) -> Any:
    """The value as what it is of several types; exactly one of them before one that it is turned into."""
    exact = [member for member in ref.args if type(value) is _EXACT.get(member.name)]
    complaints: list[WrongValue] = []
    for member in exact or ref.args:
        try:
            return held(value, member, port_type)
        except WrongValue as wrong:
            complaints.append(wrong)
    said = next((c for c in complaints if c.promised.endswith(",")), None)
    raise said or WrongValue(str(ref), shown(value))


def _domain(value: Any, port: PortType, ref: TypeRef) -> Any:
    classes = _classes(port.carrier)
    plain = next((kind for kind in classes if kind in _EXACT.values()), None)
    if classes and not any(_is(value, kind) for kind in classes):
        if plain is None or len(classes) > 1:
            raise WrongValue(str(ref), shown(value))
        value = _number(value, plain, port.name)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor) and value.layout != torch.strided:
        raise WrongValue(f"{ref}, a dense tensor,", f"{shown(value)}, {value.layout}")
    wanted = port.check(value) if port.check is not None else None
    if wanted is not None:
        raise WrongValue(f"{ref}, {wanted},", shown(value))
    return value


def _number(value: Any, kind: type, name: str) -> Any:
    """A number of numpy, or a whole one for a float, as Python's own. Raises WrongValue for anything else."""
    whole, real = isinstance(value, numbers.Integral), isinstance(value, numbers.Real)
    if not isinstance(value, bool) and ((kind is int and whole) or (kind is float and real)):
        return kind(value)
    if kind is bool and type(value).__name__ in ("bool", "bool_") and hasattr(value, "dtype"):
        return bool(value)
    if kind is str and isinstance(value, str):
        return value
    raise WrongValue(name, shown(value))


@cache
def _classes(carrier: Any) -> tuple[type, ...]:
    """The classes that values of an annotation may have; empty where it does not say."""
    origin = typing.get_origin(carrier)
    if origin in (typing.Union, types.UnionType):
        members = [_classes(member) for member in typing.get_args(carrier)]
        return tuple(kind for found in members for kind in found) if all(members) else ()
    kind = origin or carrier
    return (kind,) if isinstance(kind, type) and kind is not object else ()


def _is(value: Any, kind: type) -> bool:
    """Whether a value is of a class, or has all that a protocol asks for."""
    if getattr(kind, "_is_protocol", False):
        return all(hasattr(value, name) for name in _members(kind))
    return isinstance(value, kind) and not (isinstance(value, bool) and kind in (int, float))


@cache
def _members(protocol: type) -> tuple[str, ...]:
    """The names that a protocol asks for."""
    bases = [base for base in protocol.__mro__ if getattr(base, "_is_protocol", False)]
    names = {n for base in bases for n in (*vars(base), *vars(base).get("__annotations__", ()))}
    return tuple(sorted(n for n in names if n == "__call__" or not n.startswith("_")))


def is_finite(value: Any, ref: TypeRef, port_type: PortTypes) -> bool:
    """Whether a value that is a picture, by its type, or a list of pictures, holds nothing that is NaN or infinite."""
    if ref.name == "list" and isinstance(value, list):
        return all(is_finite(item, ref.args[0], port_type) for item in cast("list[Any]", value))
    port = None if ref.name in _EXACT or value is None else port_type(ref.name)
    return port is None or port.finite is None or port.finite(value)


def shown(value: Any) -> str:
    """What a value is, in a few words; of arrays the dtype and shape."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        from nodegraph.base.tensors import spanned

        return spanned(value)
    name = type(value).__name__
    if value is None:
        return "None"
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return f"numpy's {value.dtype}{list(value.shape)}"
    if isinstance(value, list | tuple):
        items = cast("list[Any]", value)
        kinds = sorted({type(item).__name__ for item in items})
        return f"{name} of {len(items)}" + (f": {', '.join(kinds)}" if items else "")
    if isinstance(value, str | int | float | bool | bytes):
        text = repr(value)
        return f"{name} {text if len(text) <= 60 else text[:57] + '…'}"
    return name
