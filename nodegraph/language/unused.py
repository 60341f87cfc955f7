"""Warnings of nodes and inputs that nothing depends on, each with the edit that takes it away."""

from collections.abc import Callable

from nodegraph.base.codes import Code
from nodegraph.base.diagnostics import Edit, GraphError
from nodegraph.language.edit import Refused, remove_input, remove_node
from nodegraph.language.graph import Graph, Ref
from nodegraph.language.references import references
from nodegraph.language.scope import Faults
from nodegraph.library.registry import Registry

_LEAST, _CHARACTERS = 500, 5
"""What it takes to find how to remove something, which reads the text again, in names looked at: the least, and how many
characters are read in the time of one name."""


def warn_of_unused(graph: Graph, registry: Registry, faults: Faults) -> None:
    """Warn of nodes and inputs that nothing depends on; a node without outputs acts by itself."""
    sinks = {
        name
        for name, node in graph.nodes.items()
        if (spec := registry.nodes.get(node.type)) and not spec.outputs
    }
    reached = {v.name for v in graph.outputs.values() if isinstance(v, Ref)} | sinks
    waiting = list(reached)
    while waiting:
        node = graph.nodes.get(waiting.pop())
        fresh = references(node) - reached if node else set[str]()
        reached |= fresh
        waiting.extend(fresh)
    for name, node in graph.nodes.items():
        if name not in reached:
            fix = _without(faults, graph, name, remove_node)
            hint = "wire it to what comes out, or remove it"
            faults.add(
                Code.UNUSED_NODE, f"nothing depends on node '{name}'", node.span, hint, name, fix
            )
    used = {r for node in graph.nodes.values() for r in references(node)} | reached
    for name, declared in graph.inputs.items():
        if name not in used:
            fix = _without(faults, graph, name, remove_input)
            hint = f"write ${name} where it is needed, or remove it"
            faults.add(
                Code.UNUSED_INPUT, f"no node uses input '{name}'", declared.span, hint, None, fix
            )


def _without(
    faults: Faults, graph: Graph, name: str, remove: Callable[[str, str, str], tuple[Edit, ...]]
) -> tuple[Edit, ...]:
    """The edits that take what nobody uses out of a graph's text; for the first such things."""
    if not faults.hints.spend(max(_LEAST, len(graph.text) // _CHARACTERS)):
        return ()
    try:
        return remove(graph.text, name, graph.file)
    except (GraphError, Refused):
        return ()
