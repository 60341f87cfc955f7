"""Specs as JSON and back: what the catalogue file holds."""

from dataclasses import asdict, is_dataclass
from typing import Any

from nodegraph.library.node import NodeSpec, Port
from nodegraph.library.port import Range, TypeRef


def to_json(value: Any) -> Any:
    """Dataclasses as dictionaries, sets and tuples as lists: for `json.dumps(default=…)`."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, tuple | set | frozenset):
        return list(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    raise TypeError(f"{type(value).__name__} is not JSON: {value!r}")


def node_spec(fields: dict[str, Any]) -> NodeSpec:
    """A spec from its JSON."""
    ports = {key: tuple(port(p) for p in fields[key]) for key in ("inputs", "outputs")}
    renames = {int(version): names for version, names in fields["renames"].items()}
    made: dict[str, Any] = {**fields, **ports, "words": tuple(fields["words"]), "renames": renames}
    return NodeSpec(**made)


def port(fields: dict[str, Any]) -> Port:
    """A port from its JSON."""
    menu = fields["menu"]
    bounds = fields["range"]
    made: dict[str, Any] = {
        **fields,
        "type": type_ref(fields["type"]),
        "range": Range(**bounds) if bounds else None,
        "menu": tuple(menu) if menu is not None else None,
    }
    return Port(**made)


def type_ref(fields: dict[str, Any]) -> TypeRef:
    """A type from its JSON."""
    return TypeRef(fields["name"], tuple(type_ref(a) for a in fields["args"]), fields["variable"])
