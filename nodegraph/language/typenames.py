"""The names of port types in graph files: those of today, and those of older versions that still say which type they mean."""

import re
from collections.abc import Mapping

from nodegraph.base.codes import Code
from nodegraph.base.diagnostics import meant, swap
from nodegraph.language.graph import Graph, GraphInput, Ref
from nodegraph.language.scope import Faults
from nodegraph.language.written import flow, tree_of
from nodegraph.library.port import TypeRef
from nodegraph.library.registry import Registry
from nodegraph.library.typerefs import BUILT_IN, LargeType, names_in, parse_type, under


def declared_type(
    declared: GraphInput, graph: Graph, faults: Faults, registry: Registry
) -> TypeRef | None:
    """The type of an input of a graph; None, and a fault, where its name says none."""
    try:
        ref = parse_type(declared.type)
    except ValueError as error:
        code = Code.LARGE_TYPE if isinstance(error, LargeType) else Code.UNKNOWN_TYPE
        faults.add(code, str(error), declared.type_span)
        return None
    for name in names_in(ref):
        if name not in registry.spellings and name not in BUILT_IN:
            _refuse(name, declared, graph, faults, registry)
            return None
    return under(ref, registry.spellings)


def _refuse(
    name: str, declared: GraphInput, graph: Graph, faults: Faults, registry: Registry
) -> None:
    if name in registry.former:
        _changed(name, declared, graph, faults, registry)
        return
    near = faults.hints.nearest(name, {*registry.spellings, *BUILT_IN})
    why, hint = registry.absence(name, near)
    right = meant(hint)
    fix = swap(declared.type_span, right and retyped(declared.type, {name: right}))
    message = f"there is no port type '{name}'{why}"
    faults.add(Code.UNKNOWN_TYPE, message, declared.type_span, hint, None, fix)


def _changed(
    name: str, declared: GraphInput, graph: Graph, faults: Faults, registry: Registry
) -> None:
    """The fault of a name that was one type's and is another's; mended where the ports that the input feeds say which."""
    old, new = registry.ports[registry.former[name]], registry.ports[name]
    ways = {port.name: registry.spelling(port.name) for port in (old, new)}
    fed = {kind for kind in _fed(declared, graph, registry) if kind in ways}
    right = ways[fed.pop()] if len(fed) == 1 else None
    fix = swap(declared.type_span, right and retyped(declared.type, {name: right}))
    message = f"'{name}' means another type than in older versions: what it was is '{old.name}' now"
    told = [f"'{ways[p.name]}' for {_said(p.doc)}" for p in (old, new)]
    hint = f"write {told[0]}, or {told[1]}"
    faults.add(Code.CHANGED_TYPE, message, declared.type_span, hint, None, fix)


def _said(doc: str) -> str:
    """What a type is, within a sentence."""
    return doc[:1].lower() + doc.partition(":")[0][1:]


def _fed(declared: GraphInput, graph: Graph, registry: Registry) -> set[str]:
    """The names in the types of the ports that an input is wired to."""
    return {
        name
        for node in graph.nodes.values()
        if node.type in registry.nodes
        for port in registry.nodes[node.type].inputs
        if isinstance(value := node.inputs.get(port.name), Ref) and value.name == declared.name
        for name in names_in(port.type)
    }


def retyped(written: str, names: Mapping[str, str]) -> str:
    """A type as it stands in a graph file, with other names."""
    word = re.compile("|".join(rf"\b{re.escape(name)}\b" for name in names))
    return flow(tree_of(word.sub(lambda found: names[found[0]], written)))
