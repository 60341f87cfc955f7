"""A graph that is a node type, as a Python function."""

from collections.abc import Callable
from functools import cache
from inspect import Parameter, Signature
from pathlib import Path
from typing import Any

from nodegraph.base.paths import read_text
from nodegraph.language.graph import Graph, GraphInput
from nodegraph.language.reading import read_graph
from nodegraph.language.scope import plain


def composite(name: str, path: Path) -> Callable[..., Any]:
    """A function of a graph's inputs, by keyword, that runs it as `nodegraph.load` does: its output, or a Result of several.

    The graph stays loaded: what is not changed between two calls does not run again. Raises GraphError or NodeFailed.
    """

    @cache
    def loaded() -> Callable[..., Any]:
        from nodegraph.api import load

        return load(path)

    def call(**inputs: Any) -> Any:
        result = loaded()(**inputs)
        return result if len(result.outputs) > 1 else next(iter(result.outputs.values()))

    graph, _ = read_graph(read_text(path), str(path))
    call.__name__ = call.__qualname__ = name
    if graph is not None:
        call.__doc__ = _doc(graph)
        call.__signature__ = Signature([_parameter(p) for p in graph.inputs.values()])  # type: ignore[attr-defined]
    return call


def _parameter(given: GraphInput) -> Parameter:
    """An input as a parameter by keyword; its annotation is the name of its type."""
    absent = None if given.optional else Parameter.empty
    default = absent if given.default is None else plain(given.default)
    return Parameter(given.name, Parameter.KEYWORD_ONLY, default=default, annotation=given.type)


def _doc(graph: Graph) -> str:
    """The title of a graph, what it does, and its inputs."""
    lines = [f"{name}: {given.type}. {given.help}".rstrip() for name, given in graph.inputs.items()]
    return "\n\n".join(part for part in (graph.title, graph.description, "\n".join(lines)) if part)
