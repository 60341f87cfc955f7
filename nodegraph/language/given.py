"""Values that the caller gives from Python, as their types take them; and which of all values are places of files."""

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath
from typing import Any, cast

from nodegraph.language.graph import Graph
from nodegraph.library.holding import held
from nodegraph.library.port import TypeRef
from nodegraph.library.registry import Registry
from nodegraph.library.typerefs import parse_type, under

LITERALS = (str, int, float, bool, type(None))
PLACES = ("path", "name")
"""The kinds of literals that may be a file or a folder."""


def taken(value: Any, ref: TypeRef, registry: Registry) -> Any:
    """A value for an input of a type: paths as texts, values as the type wants them and held against it, lists item by item.

    Raises ValueError with the reason where the type does not take it.
    """
    if ref.name == "list":
        items = cast("list[Any]", value) if isinstance(value, list | tuple) else [value]
        return [taken(item, ref.args[0], registry) for item in items]
    if isinstance(value, LITERALS):
        return value
    members = ref.args if ref.name == "|" else (ref,)
    if isinstance(value, PurePath) and any(names_places(member, registry) for member in members):
        return str(value)
    reason: ValueError | None = None
    for member in members:
        port = registry.port_type(member.name)
        if port is not None and port.given is not None:
            try:
                return held(port.given(value), member, registry.port_type)
            except ValueError as error:
                reason = error
    if reason is not None:
        raise reason
    return held(value, ref, registry.port_type)


def names_places(ref: TypeRef, registry: Registry) -> bool:
    """Whether a literal of a type may be the place of a file: of a picture or a model, never of a text."""
    if ref.args:
        return any(names_places(member, registry) for member in ref.args)
    facts = registry.ports.get(ref.name)
    return facts is not None and facts.literal in PLACES


def inputs_of_places(graph: Graph, registry: Registry) -> frozenset[str]:
    """The inputs of a graph whose values may be places of files."""
    found: set[str] = set()
    for declared in graph.inputs.values():
        try:
            if names_places(under(parse_type(declared.type), registry.spellings), registry):
                found.add(declared.name)
        except ValueError:  # told where the input is bound
            continue
    return frozenset(found)


def named_places(values: Mapping[str, Any], names: Iterable[str]) -> tuple[Path, ...]:
    """The places that a caller names by values of such inputs; a text that can be no path names none."""
    texts: list[str] = []
    for name in names:
        value = values.get(name)
        items = cast("list[Any]", value) if isinstance(value, list) else [value]
        texts += [item for item in items if isinstance(item, str) and item]
    return tuple(place for text in texts if (place := _place(text)) is not None)


def _place(text: str) -> Path | None:
    try:
        return Path(text).expanduser().resolve()
    except (OSError, ValueError, RuntimeError):
        return None
