"""Literals on ports: what may stand where, in its canonical form, so that 3 and 3.0 on a float port are one value."""

import math
import numbers
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from nodegraph.base.codes import Code
from nodegraph.base.diagnostics import meant, nearest
from nodegraph.base.visible import clipped
from nodegraph.language.scalars import LARGEST, LongNumber, plain
from nodegraph.library.port import Range, TypeRef
from nodegraph.library.registry import PortFacts

_WANTED = {"str": "a text", "int": "a whole number", "float": "a number", "bool": "true or false"}
_WRITTEN = {
    "text": "a text",
    "path": "the path of a file",
    "name": "a name",
    "number": "a number",
    "scalar": "a number or a text",
    "list": "a number, a text or a list",
    "flag": "true or false",
    "none": "a wire",
}
_KIND = {
    "text": "str",
    "path": "str",
    "name": "str",
    "number": "float",
    "flag": "bool",
} | dict.fromkeys(("scalar", "list"), "scalar")


class BadLiteral(ValueError):
    """A value that does not fit; carries the code of the diagnostic and a hint.

    `instead`: the value to write in its place; `quote`: it is right between quotes. None of them holds of an item of a list
    (`inside`), which has no place of its own.
    """

    def __init__(
        self,
        code: Code,
        message: str,
        hint: str | None = None,
        instead: str | float | None = None,
        quote: bool = False,
    ) -> None:
        super().__init__(code, message, hint, instead, quote)
        self.code = Code(code)
        self.hint = hint
        self.instead = instead
        self.quote = quote
        self.inside = False

    def __str__(self) -> str:
        return str(self.args[1])


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a literal stands: its type, bounds and menu."""

    type: TypeRef
    range: Range | None = None
    menu: tuple[Any, ...] | None = None


def coerced(value: Any, slot: Slot, ports: Mapping[str, PortFacts]) -> Any:
    """The value in canonical form. Raises BadLiteral."""
    try:
        return _fitting(value, slot, ports)
    except BadLiteral as error:
        error.inside = isinstance(value, list)
        raise


def _fitting(value: Any, slot: Slot, ports: Mapping[str, PortFacts]) -> Any:
    found: Any = _coerced(value, slot.type, ports)
    menu = None if slot.menu is None else frozenset(slot.menu)
    for item in cast("list[Any]", found) if isinstance(found, list) else [found]:
        if not isinstance(item, list):
            _within(item, slot, menu)
    return cast(Any, found)


def _coerced(value: Any, ref: TypeRef, ports: Mapping[str, PortFacts]) -> Any:
    if ref.name == "|":
        return _chosen(value, ref, ports)[1]
    if ref.name == "list":
        items = cast("list[Any]", value) if isinstance(value, list) else [value]
        return [_coerced(item, ref.args[0], ports) for item in items]
    if ref.name in ("*", "?"):
        return value
    facts = ports.get(ref.name)
    if isinstance(value, list) and (facts is None or facts.literal != "list"):
        raise BadLiteral(Code.BAD_LITERAL, f"a list stands where {_wanted(ref, ports)} is expected")
    found = cast("Any", value) if isinstance(value, list) else _plain(value, ref, ports)
    read = None if facts is None else facts.reader()
    return found if read is None else _read(found, read)


def _read(value: Any, read: Callable[[Any], Any]) -> Any:
    """The canonical form of a literal, by the function of its type."""
    try:
        return read(value)
    except BadLiteral:
        raise
    except (ValueError, TypeError) as error:
        raise BadLiteral(Code.BAD_LITERAL, str(error)) from None


def member_for(value: Any, ref: TypeRef, ports: Mapping[str, PortFacts]) -> TypeRef:
    """The member of a union that reads a value; any other type is itself. Raises BadLiteral where none does."""
    return _chosen(value, ref, ports)[0] if ref.name == "|" else ref


def _chosen(value: Any, ref: TypeRef, ports: Mapping[str, PortFacts]) -> tuple[TypeRef, Any]:
    """The first member of a union that reads a value, and what it makes of it; lists come last."""
    members = sorted(ref.args, key=lambda m: m.name == "list")
    faults: list[BadLiteral] = []
    for member in members:
        try:
            return member, _coerced(value, member, ports)
        except BadLiteral as fault:
            faults.append(fault)
    wanted = " or ".join(_wanted(m, ports) for m in members)
    message, first = f"{_shown(value)} is not {wanted}", faults[0]
    raise BadLiteral(Code.BAD_LITERAL, message, first.hint, quote=first.quote)


def _plain(value: Any, ref: TypeRef, ports: Mapping[str, PortFacts]) -> Any:
    facts = ports.get(ref.name)
    kind = _kind(ref, facts)
    if ref.variable:
        message = f"{_shown(value)} cannot stand here: this input takes its type from a wire"
        hint = "wire a node's output, or an input of the graph, which has a type: $name"
        raise BadLiteral(Code.BAD_LITERAL, message, hint)
    if kind == "none":
        raise BadLiteral(
            Code.BAD_LITERAL,
            f"{_shown(value)} cannot be read as {ref}; it needs a wire",
            f"wire an output of type {ref}: $node",
        )
    if kind == "str" and isinstance(value, str):
        return _text(value)
    if kind == "bool" and isinstance(value, bool):
        return value
    if kind == "scalar" and isinstance(value, str):
        return _text(value)
    if kind == "scalar" and isinstance(value, int | float) and not isinstance(value, bool):
        return _number(value, kind, True)
    if kind in ("int", "float") and isinstance(value, int | float) and not isinstance(value, bool):
        return _number(value, kind, facts is not None)
    quote = kind == "str" and value is not None
    hint = "quote it, to make it a text" if quote else None
    raise BadLiteral(
        Code.BAD_LITERAL, f"{_shown(value)} is not {_wanted(ref, ports)}", hint, quote=quote
    )


def _text(value: str) -> str:
    """The text, if it is one: a lone half of a surrogate pair is in no file, and cannot be written to any."""
    try:
        value.encode()
    except UnicodeEncodeError:
        hint = "write it in UTF-8"
        raise BadLiteral(
            Code.BAD_LITERAL, f"{_shown(value)} holds bytes that are no text", hint
        ) from None
    return value


def _kind(ref: TypeRef, facts: PortFacts | None) -> str:
    """The plain type that a literal of a type is written as; `none` where there is no literal of it."""
    if facts is None:
        return ref.name if ref.name in _WANTED else "none"
    return _KIND.get(facts.literal, "none")


def literal_kind(ref: TypeRef, ports: Mapping[str, PortFacts]) -> str:
    """The plain type (`str`, `int`, `float`, `bool`) as which a literal of a type is written; `none` where there is none."""
    return _kind(ref, ports.get(ref.name))


def accepts_literals(ref: TypeRef, ports: Mapping[str, PortFacts]) -> bool:
    """Whether a value of a type can be written in a file."""
    if ref.name in ("list", "|"):
        return any(accepts_literals(member, ports) for member in ref.args)
    return _kind(ref, ports.get(ref.name)) != "none"


def _number(value: float, kind: str, domain: bool) -> Any:
    if isinstance(value, int) and abs(value) >= LARGEST:
        raise BadLiteral(
            Code.LONG_NUMBER, "a whole number with more digits than any that can be meant"
        )
    if kind == "int" and isinstance(value, float):
        raise BadLiteral(Code.BAD_LITERAL, f"{value} is not a whole number")
    return value if kind == "int" or domain else float(value)


def _wanted(ref: TypeRef, ports: Mapping[str, PortFacts]) -> str:
    if ref.name == "list":
        return f"a list of {ref.args[0]}"
    facts = ports.get(ref.name)
    return _WANTED.get(ref.name) or (f"{_WRITTEN[facts.literal]} ({ref})" if facts else str(ref))


def _shown(value: Any) -> str:
    """A value as a graph file would say it."""
    if value is None:
        return "an empty value"
    try:
        text = clipped(repr(value), 200)
    except ValueError:  # a number that Python refuses to write out
        return "this"
    return text.lower() if isinstance(value, bool) else text


def _within(value: Any, slot: Slot, menu: frozenset[Any] | None) -> None:
    if menu is not None and slot.menu is not None and value not in menu:
        offered = ", ".join(str(m) for m in slot.menu)
        near = nearest(str(value), [m for m in slot.menu if isinstance(m, str)])
        hint = near if meant(near) else f"there are: {offered}"
        raise BadLiteral(Code.NOT_IN_MENU, f"{_shown(value)} is not on offer", hint)
    bounds = slot.range
    if bounds is None or not isinstance(value, int | float) or isinstance(value, bool):
        return
    low = -math.inf if bounds.low is None else bounds.low
    high = math.inf if bounds.high is None else bounds.high
    if not low <= value <= high:
        message = f"{value} is out of range; {_allowed(low, high)}{_unit(bounds)}"
        raise BadLiteral(Code.OUT_OF_RANGE, message, instead=_clamped(value, low, high))


def _clamped(value: float, low: float, high: float) -> float | None:
    """The bound that a value passes, a whole number for a whole number; None for NaN."""
    bound = low if value < low else high if value > high else None
    whole = bound is not None and float(bound).is_integer() and abs(bound) < 1e15
    return int(bound) if bound is not None and whole else bound


def _allowed(low: float, high: float) -> str:
    if math.isinf(high):
        return f"at least {_bound(low)}"
    return (
        f"at most {_bound(high)}" if math.isinf(low) else f"allowed {_bound(low)} … {_bound(high)}"
    )


def _bound(value: float) -> str:
    return f"{value:.0f}" if value == round(value) and abs(value) < 1e15 else f"{value:g}"


def _unit(bounds: Range) -> str:
    return f" {bounds.unit}" if bounds.unit else ""


def as_written(value: Any) -> Any:
    """Numbers of numpy, also in lists and tuples, as a graph file would hold them; other values are what they are."""
    if type(value) in (list, tuple):
        return [as_written(item) for item in cast("list[Any]", value)]
    if isinstance(value, bool) or (
        type(value).__name__ in ("bool", "bool_") and callable(value.item)
    ):
        return bool(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    return str(value) if isinstance(value, str) else value


def from_text(text: str, ref: TypeRef, ports: Mapping[str, PortFacts]) -> Any:
    """A value given as text (on the command line) for a declared type: a `Text` stays what it is, `$5` too.

    Raises BadLiteral for a number that is too long.
    """
    if _kind(ref, ports.get(ref.name)) == "str":
        return text
    if ref.name == "|":
        return _any_from_text(text, ref, ports)
    if ref.name == "list":
        bare = text.strip()
        inside = bare[1:-1] if bare.startswith("[") and bare.endswith("]") else bare
        parts = inside.split(",") if inside.strip() else []
        return [from_text(part.strip(), ref.args[0], ports) for part in parts]
    try:
        found = plain(text)
    except LongNumber as error:
        raise BadLiteral(Code.LONG_NUMBER, str(error)) from None
    number = isinstance(found, int | float) and not isinstance(found, bool)
    return text if _kind(ref, ports.get(ref.name)) == "scalar" and not number else found


def _any_from_text(text: str, ref: TypeRef, ports: Mapping[str, PortFacts]) -> Any:
    """What the first member of a union makes of a text that it can use; a text, if none does."""
    for member in sorted(ref.args, key=lambda m: (m.name == "list", m.name == "str")):
        try:
            return _coerced(from_text(text, member, ports), member, ports)
        except BadLiteral:
            continue
    return text
