"""Building the catalogue: import every node file and read its signatures. Runs in a child process."""

import importlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from nodegraph.base.diagnostics import GraphError
from nodegraph.base.libraries import (
    GRAPH_GROUP,
    NODE_GROUP,
    TYPE_GROUP,
    Broken,
    BrokenLibrary,
    declared_names,
    graph_files,
    libraries,
    module_names,
    sources_digest,
    why,
)
from nodegraph.base.node_files import ROOT, NodeFiles, from_json, importable
from nodegraph.language.compile import compile_graph
from nodegraph.language.inputs import Inputs, Request
from nodegraph.language.scope import Faults, plain
from nodegraph.language.source import SourceText
from nodegraph.library.beside import code_of
from nodegraph.library.catalogue import as_json, to_json
from nodegraph.library.declared import of_classes, port_types
from nodegraph.library.node import NodeSpec, Port
from nodegraph.library.port import PortType
from nodegraph.library.registry import Registry, from_module, merged, of_types


def build(skipped: Mapping[str, str], announce: Callable[[str], object]) -> Registry:
    """The registry of everything that is installed, composites with their specs.

    Each library is announced before it is read; `skipped` ones are not imported, but broken for the reason that is given.
    """
    registry, types = declared(skipped, announce)
    for package in libraries(NODE_GROUP):
        announce(package)
        reason = skipped.get(package)
        found = library(package, types) if reason is None else _none(package, reason)
        registry = merged(registry, found)
    return with_composites(registry)


def declared(
    skipped: Mapping[str, str], announce: Callable[[str], object]
) -> tuple[Registry, dict[type, PortType]]:
    """The port types that libraries declare: a registry of them, and those of classes."""
    registry = Registry({}, {})
    classes: dict[type, PortType] = {}
    for package in libraries(TYPE_GROUP):
        announce(package)
        reason = skipped.get(package)
        if reason is not None:
            registry = merged(registry, _none(package, reason))
            continue
        for found, kinds in _types(package):
            registry = merged(registry, found)
            classes = {**kinds, **classes}
    return registry, classes


def _types(package: str) -> Iterator[tuple[Registry, Mapping[type, PortType]]]:
    """The port types of each module of a package."""
    try:
        names = dict.fromkeys((package, *module_names(package)))
    except BrokenLibrary as error:
        yield _none(package, str(error)), {}
        return
    for name in names:
        try:
            module = importlib.import_module(name)
            yield of_types(port_types(module), module), of_classes(module)
        except (Exception, SystemExit) as error:
            yield _none(package, why(error, package), name), {}


def library(package: str, types: Mapping[type, PortType]) -> Registry:
    """The nodes of one library; what of it cannot be read as nodes is `broken`."""
    registry = Registry({}, {})
    try:
        names = module_names(package)
        importlib.import_module(package)
    except (Exception, SystemExit) as error:
        return _none(package, why(error, package))
    code = sources_digest([*libraries(TYPE_GROUP), package], ())
    for name in names:
        try:
            found = writable(from_module(importlib.import_module(name), code, types, package))
        except (Exception, SystemExit) as error:
            found = _none(package, why(error, package), name)
        registry = merged(registry, found)
    return registry


def of_files(
    files: NodeFiles, skipped: Mapping[str, str], announce: Callable[[str], object]
) -> Registry:
    """The nodes and port types of node files that no library has; what of them cannot be read as nodes is `broken`."""
    importable(files)
    registry, types = Registry({}, {}), declared(skipped, announce)[1]

    def imported(module: ModuleType) -> Registry:
        return Registry({}, {})

    def with_types(module: ModuleType) -> Registry:
        types.update({kind: port for kind, port in of_classes(module).items() if kind not in types})
        return of_types(port_types(module), module)

    def with_nodes(module: ModuleType) -> Registry:
        return writable(from_module(module, code_of(files), types, files.package))

    for name in files.of_nodes:
        announce(name)
        found = _own(files, name, imported, skipped.get(name))
        registry = merged(registry, found)
    for read, names in ((with_types, [*files.modules]), (with_nodes, files.of_nodes)):
        for name in filter(sys.modules.__contains__, names):
            registry = merged(registry, _own(files, name, read))
    if not registry.nodes and not registry.broken and not registry.clashes:
        reason = "no function in it has @node above it"
        return replace(registry, broken=(Broken(files.place.name, reason, own=True),))
    return registry


def _own(
    files: NodeFiles, name: str, read: Callable[[ModuleType], Registry], reason: str | None = None
) -> Registry:
    """What is read of a node file; or that it cannot be read, for a reason that is known or comes up."""
    if reason is None:
        try:
            return read(importlib.import_module(name))
        except (Exception, SystemExit) as error:
            told = why(error, inside=(str(files.place),))
            reason = told.replace(f"{ROOT}.{files.digest}.", "")
    broken = Broken(files.called(name), reason, files.names(name), own=True)
    return Registry({}, {}, broken=(broken,))


def writable(found: Registry) -> Registry:
    """The registry without nodes that no catalogue can hold: their defaults are no plain values."""
    broken = tuple(
        Broken(spec.home, f"the default of '{port.name}' is no plain value", (name,))
        for name, spec in found.nodes.items()
        for port in spec.inputs
        if not _plain(port.default)
    )
    refused = {name for one in broken for name in one.names}
    nodes = {name: spec for name, spec in found.nodes.items() if name not in refused}
    return replace(found, nodes=nodes, broken=(*found.broken, *broken))


def _plain(value: object) -> bool:
    try:
        json.dumps(value, default=as_json)
    except (TypeError, ValueError):
        return False
    return True


def _none(package: str, reason: str, module: str = "") -> Registry:
    """A library, or one module of it, that cannot be read."""
    names = declared_names(package, module)
    return Registry({}, {}, broken=(Broken(module or package, reason, names),))


def with_composites(registry: Registry) -> Registry:
    """The registry and the installed graphs that are used as nodes; one that is no right graph is `broken`."""
    composites = graph_files(libraries(GRAPH_GROUP)).composites
    registry = replace(registry, composites=composites)
    for name, path in composites.items():
        try:
            spec = composite_spec(name, path, registry)
            found = Registry({name: spec}, {})
        except GraphError as error:
            first = str(error).partition("\n")[0]
            found = Registry({}, {}, broken=(Broken(str(path), first, (name,)),))
        registry = replace(merged(registry, found), composites=composites)
    return registry


def composite_spec(name: str, source: SourceText | Path, registry: Registry) -> NodeSpec:
    """The spec of a graph that is used as a node: its inputs and outputs are the ports. Raises GraphError."""
    compiled = compile_graph(source, registry, Request(whole=False))
    program, graph = compiled.checked(), compiled.graph
    if graph is None:
        raise GraphError(compiled.diagnostics)
    ports = Inputs(registry, Faults(registry)).ports(graph)
    defaults = {n: plain(i.default) for n, i in graph.inputs.items() if i.default is not None}
    inputs = tuple(replace(p, default=defaults.get(p.name)) for p in ports)
    outputs = tuple(Port(n, t) for n, t in program.output_types.items())
    doc = graph.title + (f"\n\n{graph.description}" if graph.description else "")
    home = str(source) if isinstance(source, Path) else source.name
    return NodeSpec(name, home, inputs, outputs, "composite", doc, composite=True)


def main() -> None:
    """Print the libraries as they are read, and at the end the catalogue as JSON."""
    _tell(build)


def main_of_files() -> None:
    """As `main`, of the node files on standard input."""
    files = from_json(sys.stdin.read())
    _tell(lambda skipped, announce: of_files(files, skipped, announce))


def _tell(read: Callable[[Mapping[str, str], Callable[[str], object]], Registry]) -> None:
    """Print what is read as it is read, and the catalogue; what a library prints goes to standard error instead."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out:
        os.dup2(2, 1)
        registry = read(json.loads(sys.argv[1]), lambda name: print(name, file=out, flush=True))
        out.write(to_json(registry))
