"""What made two pictures different: inputs, nodes, models and versions that they recorded. Imports no torch."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nodegraph.language.graph import Graph
from nodegraph.language.reading import read_graph
from nodegraph.runtime.recorded import Recorded
from nodegraph.views import as_written, node_of


@dataclass(frozen=True, slots=True)
class Difference:
    """What two records say of one thing; None where one says nothing. `kind`: graph, input, node, port, output, subgraph,
    model, precision, device or version."""

    kind: str
    name: str
    first: Any
    second: Any


def differences(first: Recorded, second: Recorded) -> list[Difference]:
    """What differs between what two pictures say of how they were made."""
    return list(_differences(first, second))


def _differences(first: Recorded, second: Recorded) -> Iterator[Difference]:
    yield from _of("graph", {"": first.source.key}, {"": second.source.key})
    yield from _of("input", first.inputs, second.inputs)
    yield from _of_graphs(_graph(first), _graph(second))
    places = (_subgraphs(first), _subgraphs(second))
    for found in _of("subgraph", *places):
        texts = (None if text is None else "a text" for text in (found.first, found.second))
        yield Difference(found.kind, found.name, *texts)
    yield from _of("model", first.models, second.models)
    yield from _of("precision", {"": first.precision}, {"": second.precision})
    yield from _of("device", {"": first.device}, {"": second.device})
    yield from _of("version", first.versions, second.versions)


def _of(kind: str, first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[Difference]:
    """Names that have other values, or none on one side."""
    for name in dict.fromkeys((*first, *second)):
        one, other = first.get(name), second.get(name)
        if one != other or type(one) is not type(other):
            yield Difference(kind, name, one, other)


def _of_graphs(first: Graph | None, second: Graph | None) -> Iterator[Difference]:
    """Nodes that came, went or have another type, and ports with other values or wires."""
    if first is None or second is None:
        return
    nodes = [{name: node_of(node) for name, node in g.nodes.items()} for g in (first, second)]
    types = ({name: node.type for name, node in side.items()} for side in nodes)
    yield from _of("node", *types)
    both = [name for name in nodes[0] if name in nodes[1]]
    ports = (
        {f"{name}.{port}": value for name in both for port, value in side[name].inputs.items()}
        for side in nodes
    )
    yield from _of("port", *ports)
    outputs = ({n: as_written(value) for n, value in g.outputs.items()} for g in (first, second))
    yield from _of("output", *outputs)


def _graph(recorded: Recorded) -> Graph | None:
    """The graph of a picture; None where it cannot be read."""
    return read_graph(recorded.source.text, recorded.source.name)[0]


def _subgraphs(recorded: Recorded) -> dict[str, str]:
    """The texts of the graphs that a graph used, by place."""
    own = recorded.source.key
    return {place: text for place, text in recorded.source.siblings.items() if place != own}
