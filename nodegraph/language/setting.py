"""Values for ports of a graph's nodes from outside (`--set sampler.eta=0.5`), written into its text."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from nodegraph.base.codes import Code
from nodegraph.base.diagnostics import GraphError, diagnostic
from nodegraph.language.edit import set_port
from nodegraph.language.settling import Refused
from nodegraph.language.source import SourceText
from nodegraph.language.texts import applied
from nodegraph.language.yaml import Items, Leaf, Table, Tree, parse

WAY = "write NODE.PORT=VALUE"


def with_values(source: SourceText, given: Sequence[str]) -> SourceText:
    """The text with values on ports of its nodes, each `node.port=value` as the file would say it.

    Raises GraphError for what is no such value, or names no node.
    """
    text = source.text
    for one in given:
        place, equals, value = one.partition("=")
        node, dot, port = place.strip().partition(".")
        if not (equals and dot and node and port):
            name = node.replace("_", "-")
            option = f", or --{name} for an input of the graph" if equals and not dot else ""
            raise GraphError([_wrong(one, f"this is no value of a port; {WAY}{option}")])
        if "/" in node or "." in port:
            hint = "give the input of the subgraph that reaches it"
            raise GraphError([_wrong(one, f"a node inside a subgraph cannot be set; {hint}")])
        try:
            text = applied(text, set_port(text, node, port, _value(value), source.name))
        except (Refused, ValueError) as error:
            raise GraphError([_wrong(one, str(error))]) from None
    return replace(source, text=text)


def _wrong(given: str, why: str) -> Any:
    return diagnostic(Code.BAD_LITERAL, f"--set {given}: {why}")


def _value(text: str) -> Any:
    """The value that a text is in a graph file."""
    parsed = parse(f"value: {text.strip()}\n", "--set")
    tree = parsed.tree.get("value") if isinstance(parsed.tree, Table) else None
    if parsed.diagnostics or tree is None:
        return text
    return _plain(tree, text)


def _plain(tree: Tree, text: str) -> Any:
    if isinstance(tree, Leaf):
        return tree.value
    if isinstance(tree, Items):
        return [_plain(item, text) for item in tree.values]
    raise ValueError(f"a mapping cannot stand on an input; quote {text!r} if it is a text")
