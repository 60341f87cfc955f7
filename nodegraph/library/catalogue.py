"""The catalogue: the registry of what is installed as JSON, so that it is there without importing any of its files.

Reading signatures means importing node files, and those import torch. So it is done once, in a child process, and the
specs are kept in the cache, keyed by the content of every source file of the libraries.
"""

import json
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, is_dataclass, replace
from pathlib import Path
from typing import Any, cast

from nodegraph.base.libraries import (
    GRAPH_GROUP,
    NODE_GROUP,
    TYPE_GROUP,
    Broken,
    BrokenLibrary,
    graph_files,
    libraries,
    sources_digest,
)
from nodegraph.base.partial import write_text
from nodegraph.base.paths import cache_folder
from nodegraph.library.node import NodeSpec, Port
from nodegraph.library.port import Range, TypeRef
from nodegraph.library.registry import PortFacts, Registry

CATALOGUES = 4
"""How many catalogues are kept: environments that share a cache do not take each other's away."""


def installed() -> Registry:
    """The registry of everything that is installed, from the catalogue; torch is not imported.

    Raises BrokenLibrary where not even a part of it can be read.
    """
    found = graph_files(libraries(GRAPH_GROUP))
    digest = sources_digest([*libraries(TYPE_GROUP), *libraries(NODE_GROUP)], found.places)
    path = cache_folder() / f"catalogue-{digest}.json"
    registry = kept_or_told(path, "main")
    clashes = {**registry.clashes, **found.clashes}
    return replace(
        registry,
        graphs=found.graphs,
        composites={n: path for n, path in found.composites.items() if n not in clashes},
        broken=(*registry.broken, *found.broken),
        clashes=clashes,
        code="" if registry.broken else digest,
    )


def kept_or_told(path: Path, function: str, given: str = "", most: int = CATALOGUES) -> Registry:
    """The registry of a catalogue that is kept, else of the one that a child process writes.

    That is kept only if all could be read: what makes a library readable need not lie in its own files.
    """
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return from_json(path.read_text(encoding="utf-8"))
    text = told_by_child(function, given)
    registry = from_json(text)
    if not registry.broken:
        keep(path, text, most)
    return registry


def told_by_child(function: str, given: str = "") -> str:
    """The catalogue that a function of `nodegraph.build` writes in a child process. A library, or a node file, that ends the
    process is left out of a second one. Raises BrokenLibrary."""
    skipped: dict[str, str] = {}
    code = f"from nodegraph.build import {function}; {function}()"
    while True:
        command = [sys.executable, "-P", "-c", code, json.dumps(skipped)]
        child = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
        last = (child.stdout.splitlines() or [""])[-1]
        if not child.returncode:
            return last
        if not last or last in skipped:
            raise BrokenLibrary(f"the node libraries cannot be read: {child.stderr.strip()}")
        skipped[last] = f"Python ended with code {child.returncode} while it was imported"


def keep(path: Path, text: str, most: int = CATALOGUES) -> None:
    """Write a catalogue, if the cache can be written; of those of its kind the latest stay."""
    try:
        write_text(path, text)
        every = path.parent.glob(f"{path.name.partition('-')[0]}-*.json")
        for old in sorted(every, key=lambda p: p.stat().st_mtime)[:-most]:
            old.unlink(missing_ok=True)
    except OSError:
        return


def to_json(registry: Registry) -> str:
    """The catalogue of a registry."""
    catalogue = {
        "nodes": list(registry.nodes.values()),
        "ports": list(registry.ports.values()),
        "broken": registry.broken,
        "clashes": registry.clashes,
    }
    return json.dumps(catalogue, default=as_json)


def as_json(value: Any) -> Any:
    """Dataclasses as dictionaries, sets and tuples as lists: for `json.dumps(default=…)`."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, tuple | set | frozenset):
        return list(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    raise TypeError(f"{type(value).__name__} is not JSON: {value!r}")


def from_json(text: str) -> Registry:
    """A registry from the text of its catalogue. By hand: pydantic takes longer to make its schema (ADR 26)."""
    catalogue = cast(dict[str, Any], json.loads(text))
    nodes = [_node_spec(fields) for fields in catalogue["nodes"]]
    ports = [PortFacts(**_tupled(fields)) for fields in catalogue["ports"]]
    broken = tuple(Broken(**_tupled(fields)) for fields in catalogue["broken"])
    clashes = cast(dict[str, tuple[str, ...]], _tupled(catalogue["clashes"]))
    return Registry(
        {n.name: n for n in nodes}, {p.name: p for p in ports}, broken=broken, clashes=clashes
    )


def _tupled(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(v) if isinstance(v, list) else v for name, v in fields.items()}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def _node_spec(fields: dict[str, Any]) -> NodeSpec:
    ports = {key: tuple(map(_port, fields[key])) for key in ("inputs", "outputs")}
    renames = {int(version): names for version, names in fields["renames"].items()}
    made: dict[str, Any] = {**_tupled(fields), **ports, "renames": renames}
    return NodeSpec(**made)


def _port(fields: dict[str, Any]) -> Port:
    bounds, menu = fields["range"], fields["menu"]
    made: dict[str, Any] = {
        **fields,
        "type": _type_ref(fields["type"]),
        "range": Range(**bounds) if bounds else None,
        "menu": None if menu is None else tuple(menu),
    }
    return Port(**made)


def _type_ref(fields: dict[str, Any]) -> TypeRef:
    return TypeRef(fields["name"], tuple(map(_type_ref, fields["args"])), fields["variable"])
