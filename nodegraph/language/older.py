"""Graphs that are known to be of an older version: those that pictures carry."""

from collections.abc import Mapping
from dataclasses import replace

from nodegraph.base.diagnostics import swap
from nodegraph.language.reading import read_graph
from nodegraph.language.source import SourceText
from nodegraph.language.texts import applied
from nodegraph.language.typenames import retyped
from nodegraph.library.registry import Registry


def of_older_version(source: SourceText, registry: Registry) -> SourceText:
    """A graph and its subgraphs with today's names for the types whose names mean others by now.

    A graph that ran cannot have meant today's: there such a name is a fault.
    """
    names = {
        n: registry.spelling(kind) for n, kind in registry.former.items() if n in registry.ports
    }
    texts = {place: _by_names(text, place, names) for place, text in source.siblings.items()}
    return replace(source, text=_by_names(source.text, source.name, names), siblings=texts)


def _by_names(text: str, file: str, names: Mapping[str, str]) -> str:
    if not any(name in text for name in names):
        return text
    graph = read_graph(text, file)[0]
    inputs = graph.inputs.values() if graph else ()
    edits = (swap(i.type_span, retyped(i.type, names)) for i in inputs)
    return applied(text, dict.fromkeys(edit for found in edits for edit in found))
