"""A graph to look at: its diagram, with the ports of its nodes from the registry and from the graphs beside it."""

from nodegraph.base.diagnostics import GraphError
from nodegraph.base.paths import Outside
from nodegraph.build import composite_spec
from nodegraph.drawing.diagram import Diagram, diagram_of
from nodegraph.language.graph import Graph, GraphNode, Literal
from nodegraph.language.source import SourceText
from nodegraph.library.node import NodeSpec
from nodegraph.library.registry import Registry
from nodegraph.runtime.recorded import Recorded
from nodegraph.session import Session


def diagram(session: Session, opened: Recorded) -> Diagram:
    """The diagram of a graph; its nodes need not be known. Raises GraphError where the text cannot be read."""
    graph = session.read(opened)

    def spec_of(node: GraphNode) -> NodeSpec | None:
        return _spec(_type(node, graph), opened.source, session.registry)

    return diagram_of(graph, spec_of)


def _type(node: GraphNode, graph: Graph) -> str:
    """The type of a node; of one that an input says, the input's default."""
    chosen = graph.inputs.get(node.type.removeprefix("$")) if node.type.startswith("$") else None
    default = chosen.default if chosen else None
    return str(default.value) if isinstance(default, Literal) else node.type


def _spec(kind: str, source: SourceText, registry: Registry) -> NodeSpec | None:
    if kind in registry.nodes or not kind.endswith((".yaml", ".yml")):
        return registry.nodes.get(kind)
    try:
        return composite_spec(kind, source.beside(kind), registry)
    except (GraphError, Outside, OSError, UnicodeDecodeError):
        return None
