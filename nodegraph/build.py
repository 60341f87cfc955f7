"""Building the catalogue: import every node file and read its signatures. Runs in a child process."""

import importlib
import json
import sys
from dataclasses import replace
from importlib.metadata import entry_points

from nodegraph import records
from nodegraph.compile import composite_spec
from nodegraph.registry import (
    GRAPH_GROUP,
    NODE_GROUP,
    BrokenLibrary,
    Registry,
    from_modules,
    graph_files,
    module_names,
    sources_digest,
    split_composites,
)


def build() -> Registry:
    """The registry of everything that is installed, composites with their specs."""
    registry = Registry({}, {})
    for point in entry_points(group=NODE_GROUP):
        registry = merged(registry, library(point.value))
    graphs = graph_files(point.value for point in entry_points(group=GRAPH_GROUP))
    shipped, composites = split_composites(graphs)
    registry = replace(registry, graphs=shipped, composites=composites)
    specs = {name: composite_spec(name, path, registry) for name, path in composites.items()}
    return replace(registry, nodes={**registry.nodes, **specs})


def library(package: str) -> Registry:
    """The nodes of one library. Raises BrokenLibrary where a file of it cannot be read as nodes."""
    try:
        modules = [importlib.import_module(name) for name in module_names(package)]
        return from_modules(modules, code=sources_digest([package], ()))
    except Exception as error:
        raise BrokenLibrary(f"in '{package}': {type(error).__name__}: {error}") from error


def merged(first: Registry, second: Registry) -> Registry:
    """Both libraries together. Raises BrokenLibrary where they define a node type of one name."""
    for name in first.nodes.keys() & second.nodes.keys():
        homes = f"{first.nodes[name].home} and {second.nodes[name].home}"
        raise BrokenLibrary(f"node type '{name}' is defined twice: {homes}; rename one of them")
    return Registry({**second.nodes, **first.nodes}, {**second.ports, **first.ports})


def main() -> None:
    """Print the catalogue as JSON; what is wrong with a library, in one line."""
    try:
        registry = build()
    except BrokenLibrary as error:
        sys.exit(str(error))
    catalogue = {"nodes": list(registry.nodes.values()), "ports": list(registry.ports.values())}
    sys.stdout.write(json.dumps(catalogue, default=records.to_json))
