"""How frozen dataclasses of tensors are kept in a cache entry, told from their fields."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypedDict, Union, cast, get_args, get_origin, get_type_hints

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

READ: Mapping[Any, Callable[[str], Any]] = {str: str, int: int, float: float}
"""How numbers and texts are read again; metadata are texts."""


class Stored(TypedDict):
    """How values of a port type are kept, as arguments of `PortType`."""

    dump: Callable[[Any, Path], None]
    load: Callable[[Path], Any]


def stored(kind: type, file: str) -> Stored:
    """Values of a dataclass of tensors, numbers and texts in one safetensors file: tensors under the names of their fields, the
    rest as metadata. What is None is left out, and is so by default; a dataclass in it is kept under dotted names.

    Raises TypeError for a field that cannot be kept so.
    """
    _check(kind)

    def dump(value: Any, folder: Path) -> None:
        parts = dict(_parts(value))
        tensors = {n: v.contiguous().cpu() for n, v in parts.items() if isinstance(v, Tensor)}
        texts = {name: str(v) for name, v in parts.items() if name not in tensors}
        save_file(tensors, folder / file, metadata=texts)

    def load(folder: Path) -> Any:
        with safe_open(folder / file, "pt") as found:
            tensors = {name: found.get_tensor(name) for name in found.keys()}  # noqa: SIM118
            return _made(kind, {**(found.metadata() or {}), **tensors})

    return Stored(dump=dump, load=load)


def _check(kind: type) -> None:
    for name, hint in get_type_hints(kind).items():
        wanted = _kind(hint)
        if is_dataclass(wanted):
            _check(cast(type, wanted))
        elif wanted is not Tensor and wanted not in READ:
            raise TypeError(f"{kind.__name__}.{name} is a {hint}, which is not kept beside tensors")


def _kind(hint: Any) -> Any:
    """What a field holds where it is not None; words of a list are texts."""
    if get_origin(hint) is Literal and all(isinstance(word, str) for word in get_args(hint)):
        return str
    if get_origin(hint) in (Union, UnionType):
        several = [kind for kind in get_args(hint) if kind is not type(None)]
        return _kind(several[0]) if len(several) == 1 else hint
    return hint


def _parts(value: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """What a dataclass, and those in it, hold, by dotted names."""
    for field in fields(value):
        part = getattr(value, field.name)
        if is_dataclass(part):
            yield from _parts(part, f"{before}{field.name}.")
        elif part is not None:
            yield before + field.name, part


def _made(kind: type, found: Mapping[str, Any], before: str = "") -> Any:
    """A dataclass of what was found under the names of its fields."""
    made: dict[str, Any] = {}
    for name, hint in get_type_hints(kind).items():
        wanted, key = _kind(hint), before + name
        if key in found:
            made[name] = found[key] if wanted is Tensor else READ[wanted](found[key])
        elif is_dataclass(wanted) and any(other.startswith(f"{key}.") for other in found):
            made[name] = _made(cast(type, wanted), found, f"{key}.")
    return kind(**made)
