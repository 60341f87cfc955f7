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
        modules = [importlib.import_module(name) for name in module_names(point.value)]
        found = from_modules(modules, code=sources_digest([point.value], ()))
        registry = Registry({**registry.nodes, **found.nodes}, {**registry.ports, **found.ports})
    graphs = graph_files(point.value for point in entry_points(group=GRAPH_GROUP))
    shipped, composites = split_composites(graphs)
    registry = replace(registry, graphs=shipped, composites=composites)
    specs = {name: composite_spec(name, path, registry) for name, path in composites.items()}
    return replace(registry, nodes={**registry.nodes, **specs})


def main() -> None:
    """Print the catalogue as JSON."""
    registry = build()
    catalogue = {"nodes": list(registry.nodes.values()), "ports": list(registry.ports.values())}
    sys.stdout.write(json.dumps(catalogue, default=records.to_json))
