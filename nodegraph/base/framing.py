"""Values as bytes for keys: each part with its type and length, so that different values never become equal bytes."""

import hashlib
import struct
import sys
from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import PurePath
from typing import Any, cast

from nodegraph.base.contents import Unframed


def digest(*values: Any) -> str:
    """sha256 of values, in hexadecimal: equal for equal values, and different for all that differ in kind, shape or content.

    Raises Unframed.
    """
    return hashlib.sha256(framed(values)).hexdigest()


def framed(value: Any) -> bytes:
    """A value as bytes that say where they end. Raises Unframed for what is no plain value, array, container or dataclass."""
    make = _PLAIN.get(cast("type[Any]", type(value)))
    if make is not None:
        return make(value)
    return _other(value)


def frame(tag: bytes, content: bytes) -> bytes:
    """Bytes with a tag of one letter, which says what they are, and their length."""
    return tag + len(content).to_bytes(8, "big") + content


def frames(tag: bytes, items: Iterable[bytes]) -> bytes:
    """Framed items as one frame."""
    return frame(tag, b"".join(items))


def _text(value: str) -> bytes:
    return frame(b"s", value.encode("utf-8", "surrogatepass"))


def _whole(value: int) -> bytes:
    return frame(b"i", value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def _items(value: Iterable[Any]) -> Iterable[bytes]:
    return map(framed, value)


_PLAIN: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda value: frame(b"0", b""),
    bool: lambda value: frame(b"b", b"\1" if value else b"\0"),
    int: _whole,
    float: lambda value: frame(b"f", struct.pack(">d", value)),
    complex: lambda value: frame(b"c", struct.pack(">dd", value.real, value.imag)),
    str: _text,
    bytes: lambda value: frame(b"y", value),
    list: lambda value: frames(b"L", _items(value)),
    tuple: lambda value: frames(b"T", _items(value)),
    dict: lambda value: frames(b"M", (framed(pair) for pair in value.items())),
    set: lambda value: frames(b"S", sorted(_items(value))),
    frozenset: lambda value: frames(b"S", sorted(_items(value))),
}
"""The order of a dictionary counts: a node can see it."""


def _other(value: Any) -> bytes:
    named = framed(f"{type(value).__module__}.{type(value).__qualname__}")
    if isinstance(value, Enum):
        return frames(b"E", (named, framed(value.name)))
    if isinstance(value, PurePath):
        return frame(b"P", str(value).encode("utf-8", "surrogateescape"))
    if is_dataclass(value) and not isinstance(value, type):
        parts = (framed(getattr(value, field.name)) for field in fields(value))
        return frames(b"D", (named, *parts))
    for kind, make in _PLAIN.items():
        if isinstance(value, kind):
            return frames(b"K", (named, make(value)))
    return _array(value)


def _array(value: Any) -> bytes:
    """A tensor or an array, by its kind, shape and content."""
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        from nodegraph.base.tensors import framing

        facts, content = framing(value)
        return frames(b"X", (framed(facts), hashlib.sha256(content).digest()))
    if numpy is not None and (type(value) is numpy.ndarray or isinstance(value, numpy.generic)):
        found: Any = numpy.ascontiguousarray(value)
        if not found.dtype.hasobject:
            facts = (isinstance(value, numpy.generic), repr(found.dtype.descr), value.shape)
            return frames(b"N", (framed(facts), hashlib.sha256(found.tobytes()).digest()))
    raise Unframed(f"{type(value).__name__} has no content that is known")
