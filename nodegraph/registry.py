"""The registry: which node types, port types and graphs are installed, without importing any of their files.

Reading signatures means importing node files, and those import torch. So it is done once, in a child process, and the
specs are kept as a catalogue in the cache, keyed by the content of every source file of the libraries.
"""

import hashlib
import importlib
import importlib.util
import json
import pkgutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.machinery import ModuleSpec
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from nodegraph import records
from nodegraph.node import Declaration, NodeSpec
from nodegraph.partial import write_text
from nodegraph.paths import cache_folder
from nodegraph.signature import TypeReader, spec_of
from nodegraph.types import PortType

NODE_GROUP = "nodegraph.nodes"
GRAPH_GROUP = "nodegraph.graphs"
COMPOSITES = "composites"
CATALOGUES = 4
"""How many catalogues are kept: environments that share a cache do not take each other's away."""


@dataclass(frozen=True, slots=True)
class PortFacts:
    """What is known of a port type without importing it. `parts` is `module:function` of a torch-free function."""

    name: str
    doc: str
    literal: str
    colour: str
    shape: str
    live: bool
    home: str
    parts: str | None = None
    widens_to: tuple[str, ...] = ()


class BrokenLibrary(RuntimeError):
    """An installed node library that cannot be imported, or that is no node library: names it and what is wrong."""


@dataclass(frozen=True)
class Registry:
    """Node types and port types by name, and the shipped graphs by name (`glide/text_to_image`)."""

    nodes: Mapping[str, NodeSpec]
    ports: Mapping[str, PortFacts]
    graphs: Mapping[str, Path] = field(default_factory=dict[str, Path])
    composites: Mapping[str, Path] = field(default_factory=dict[str, Path])
    loaded: dict[str, PortType] = field(default_factory=dict[str, PortType])

    def function(self, spec: NodeSpec) -> Callable[..., Any]:
        """The function of a node type; imports its file."""
        return _attribute(spec.home)

    def port_type(self, name: str) -> PortType | None:
        """The behaviour of a port type, or None for plain numbers and words; imports the file that uses it."""
        if name not in self.loaded and name in self.ports:
            self.loaded.update(_port_types(importlib.import_module(self.ports[name].home)))
        return self.loaded.get(name)

    def parts(self, type_name: str) -> Callable[[Any], Mapping[str, str]] | None:
        """The function that lists the parts of a bundle type, or None."""
        facts = self.ports.get(type_name)
        return _attribute(facts.parts) if facts and facts.parts else None

    @cached_property
    def widenings(self) -> frozenset[tuple[str, str]]:
        """Pairs of names (from, to) that join silently."""
        own = {(f.name, target) for f in self.ports.values() for target in f.widens_to}
        return frozenset({("int", "float"), *own})


def from_modules(modules: Iterable[ModuleType], code: str = "") -> Registry:
    """A registry of the node functions of some modules."""
    nodes: dict[str, NodeSpec] = {}
    ports: dict[str, PortFacts] = {}
    loaded: dict[str, PortType] = {}
    for module in modules:
        reader = TypeReader(_declared_ports(module))
        for function, declaration in node_functions(module):
            spec = spec_of(function, declaration, reader, code)
            if spec.name in nodes:
                raise ValueError(
                    f"node type '{spec.name}' is defined in {nodes[spec.name].home} and {spec.home}"
                )
            nodes[spec.name] = spec
        met = {**{p.name: p for p in reader.ports.values()}, **reader.met}
        ports |= {
            name: _facts(port, module.__name__) for name, port in met.items() if name not in ports
        }
        loaded |= {name: port for name, port in met.items() if name not in loaded}
    return Registry(nodes, ports, loaded=loaded)


def node_functions(module: ModuleType) -> list[tuple[Callable[..., Any], Declaration]]:
    """The functions that `@node` declared in a module, in their order."""
    members = [
        m for m in vars(module).values() if getattr(m, "__module__", None) == module.__name__
    ]
    declared = [(m, getattr(m, "__node__", None)) for m in members]
    return [(m, d) for m, d in declared if isinstance(d, Declaration)]


def installed() -> Registry:
    """The registry of everything that is installed, from the catalogue; torch is not imported."""
    packages = [point.value for point in entry_points(group=NODE_GROUP)]
    graphs = graph_files(point.value for point in entry_points(group=GRAPH_GROUP))
    digest = sources_digest(packages, graphs.values())
    registry = _read_catalogue(digest) or _build_catalogue(digest)
    shipped, composites = split_composites(graphs)
    return replace(registry, graphs=shipped, composites=composites)


def _read_catalogue(digest: str) -> Registry | None:
    path = cache_folder() / f"catalogue-{digest}.json"
    try:
        return _from_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _build_catalogue(digest: str) -> Registry:
    command = [sys.executable, "-P", "-c", "from nodegraph.build import main; main()"]
    child = subprocess.run(command, capture_output=True, text=True, check=False)
    if child.returncode:
        raise BrokenLibrary(f"the node libraries cannot be read: {child.stderr.strip()}")
    _keep(cache_folder() / f"catalogue-{digest}.json", child.stdout)
    return _from_json(child.stdout)


def _keep(path: Path, text: str) -> None:
    """Write the catalogue, if the cache can be written."""
    try:
        write_text(path, text)
        kept = sorted(path.parent.glob("catalogue-*.json"), key=lambda p: p.stat().st_mtime)
        for old in kept[:-CATALOGUES]:
            old.unlink(missing_ok=True)
    except OSError:
        return


def _from_json(text: str) -> Registry:
    catalogue = cast(dict[str, list[dict[str, Any]]], json.loads(text))
    nodes = [records.node_spec(fields) for fields in catalogue["nodes"]]
    ports = [_port_facts(fields) for fields in catalogue["ports"]]
    return Registry({n.name: n for n in nodes}, {p.name: p for p in ports})


def _port_facts(fields: dict[str, Any]) -> PortFacts:
    made: dict[str, Any] = {**fields, "widens_to": tuple(fields["widens_to"])}
    return PortFacts(**made)


def module_names(package: str) -> list[str]:
    """The modules directly inside a package (or the module itself), without importing them."""
    places = _places(package)
    if not places:
        return [package]
    return [f"{package}.{m.name}" for m in pkgutil.iter_modules(places) if not m.ispkg]


def _places(package: str) -> list[str]:
    return list(_found(package).submodule_search_locations or ())


def _found(package: str) -> ModuleSpec:
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise BrokenLibrary(f"the node library '{package}' is registered but not installed")
    return spec


def _source_files(package: str) -> list[Path]:
    """The Python files of a package, or the one file of a module."""
    spec = _found(package)
    if spec.submodule_search_locations is None:
        return [Path(spec.origin)] if spec.origin else []
    return [path for place in spec.submodule_search_locations for path in Path(place).rglob("*.py")]


def sources_digest(packages: Iterable[str], graphs: Iterable[Path]) -> str:
    """Digest of the content of every source file, so that any edit makes a new catalogue."""
    digest = hashlib.blake2b(sys.version.encode(), digest_size=12)
    sources = sorted(path for package in packages for path in _source_files(package))
    for path in [*sources, *sorted(graphs), *sorted(Path(__file__).parent.glob("*.py"))]:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def graph_files(packages: Iterable[str]) -> dict[str, Path]:
    """The YAML files of some packages by their path without suffix: `glide/text_to_image`."""
    roots = [Path(place) for package in packages for place in _places(package)]
    return {
        path.relative_to(root).with_suffix("").as_posix(): path
        for root in roots
        for path in sorted(root.rglob("*.yaml"))
    }


def split_composites(graphs: Mapping[str, Path]) -> tuple[dict[str, Path], dict[str, Path]]:
    """Shipped graphs by name, and those of `composites/` by the name of the node type."""
    inner = f"{COMPOSITES}/"
    composites = {n.removeprefix(inner): p for n, p in graphs.items() if n.startswith(inner)}
    return {n: p for n, p in graphs.items() if not n.startswith(inner)}, composites


def _declared_ports(module: ModuleType) -> dict[type, PortType]:
    """Port types that a library gives to plain classes: `PORT_TYPES` of the module, or of one it imports from."""
    return dict(getattr(module, "PORT_TYPES", {}))


def _port_types(module: ModuleType) -> dict[str, PortType]:
    reader = TypeReader(_declared_ports(module))
    for function, declaration in node_functions(module):
        spec_of(function, declaration, reader, "")
    return {**{p.name: p for p in reader.ports.values()}, **reader.met}


def _facts(port: PortType, home: str) -> PortFacts:
    live = port.dump is None
    parts = f"{port.parts.__module__}:{port.parts.__qualname__}" if port.parts else None
    return PortFacts(
        port.name,
        port.doc,
        port.literal,
        port.colour,
        port.shape,
        live,
        home,
        parts,
        port.widens_to,
    )


def _attribute(home: str) -> Any:
    module, _, name = home.partition(":")
    return getattr(importlib.import_module(module), name)
