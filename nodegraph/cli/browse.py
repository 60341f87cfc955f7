"""`nodegraph nodes`."""

import re
from collections.abc import Iterable
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from nodegraph.base.diagnostics import nearest
from nodegraph.cli.console import USAGE, Nodes, add_row, fail, print_json, registry, results
from nodegraph.library.node import NodeSpec, Port
from nodegraph.library.port import TypeRef
from nodegraph.library.registry import Registry
from nodegraph.library.typerefs import BUILT_IN, Widenings, fits, names_in, parse_type, under


def nodes(
    name: Annotated[str | None, typer.Argument(help="A node type, or words to search for.")] = None,
    into: Annotated[
        str | None, typer.Option(help="Only nodes that can feed a port of this type.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The specs on standard output.")] = False,
    node_files: Nodes = None,
) -> None:
    """The catalogue of node types: ports, ranges, docs."""
    known = registry(node_files)
    wide = known.widenings
    wanted = None if into is None else _port_type(into, known)
    if name is not None and name in known.nodes and _feeds(known.nodes[name], wanted, wide):
        _one(known.nodes[name], as_json)
        return
    matching = (spec for spec in known.nodes.values() if _matches(spec, name))
    found = [spec for spec in matching if _feeds(spec, wanted, wide)]
    if not found:
        fail(_nothing(name, into, known), USAGE)
    found.sort(key=lambda spec: (_generic(spec, wanted, wide), spec.category, spec.name))
    if as_json:
        print_json([asdict(spec) for spec in found])
        return
    table = Table("category", "node", "gives", "", box=None, pad_edge=False)
    for spec in found:
        gives = ", ".join(str(port.type) for port in spec.outputs)
        add_row(table, spec.category, spec.name, gives, spec.doc.partition("\n")[0])
    results.print(table)


def _matches(spec: NodeSpec, words: str | None) -> bool:
    text = f"{spec.name} {spec.category} {' '.join(spec.words)} {spec.doc}".lower().replace(
        "_", " "
    )
    return words is None or all(word in text for word in words.lower().replace("_", " ").split())


def _nothing(words: str | None, into: str | None, known: Registry) -> str:
    """That no node type was found, and what to do."""
    if words is None:
        written = into and re.sub(r"\w+", lambda found: known.spelling(found[0]), into)
        return f"no node type gives '{into}'; a graph input does: {{type: {written}}}"
    if words in known.nodes:
        gives = ", ".join(str(port.type) for port in known.nodes[words].outputs) or "nothing"
        return f"'{words}' does not feed '{into}': it gives {gives}"
    if words in known.clashes:
        return known.clash(words)
    why, hint = known.absence(words, nearest(words, known.nodes))
    feeding = f" that feeds '{into}'" if into else ""
    mend = hint or "`nodegraph nodes` lists them; words that all stand in its text find one too"
    return f"no node type{feeding} fits '{words}'{why}; {mend}"


def _port_type(text: str, known: Registry) -> TypeRef:
    """The type that was asked for. Ends with a message where it is malformed or not known."""
    try:
        found = parse_type(text)
    except ValueError as error:
        fail(str(error), USAGE)
    found = under(found, known.spellings)
    names = {*known.ports, *BUILT_IN}
    for name in names_in(found):
        if name not in names:
            why, hint = known.absence(name, nearest(name, names))
            hint = hint or f"there are: {', '.join(sorted(names))}"
            fail(f"there is no port type '{name}'{why}; {hint}", USAGE)
    return found


def _feeds(spec: NodeSpec, target: TypeRef | None, wide: Widenings) -> bool:
    return target is None or any(fits(port.type, target, {}, wide) for port in spec.outputs)


def _generic(spec: NodeSpec, target: TypeRef | None, wide: Widenings) -> bool:
    """Whether a node feeds a type only because it gives any: it comes after those that are made for it."""
    fitting = [port.type for port in spec.outputs if target and fits(port.type, target, {}, wide)]
    return bool(fitting) and all(_anything(ref) for ref in fitting)


def _anything(ref: TypeRef) -> bool:
    item = ref.args[0] if ref.name == "list" else ref
    return item.variable or item.name in ("*", "?")


def _one(spec: NodeSpec, as_json: bool) -> None:
    if as_json:
        print_json(asdict(spec))
        return
    results.print(f"{spec.name}  ({spec.category})\n\n{spec.doc}\n")
    results.print(_ports("input", spec.inputs))
    results.print(_ports("output", spec.outputs))


def _ports(title: str, ports: Iterable[Port]) -> Table:
    table = Table(title, "type", "default", "", box=None, pad_edge=False)
    for port in ports:
        default = "" if title == "output" else "required" if port.required else repr(port.default)
        notes = [port.doc]
        if port.range:
            notes.append(
                f"{_bound(port.range.low)} … {_bound(port.range.high)} {port.range.unit}".strip()
            )
        if port.menu:
            notes.append(" | ".join(map(str, port.menu)))
        add_row(
            table,
            port.name,
            str(port.type),
            default,
            "  ".join(n for n in notes if n),
        )
    return table


def _bound(value: float | None) -> str:
    return "any" if value is None else f"{value:g}"
