"""Nodes that choose between values."""

from typing import Annotated

from nodegraph import Doc, node
from nodes.wires.generic import X


@node(category="pictures", words=("default", "optional", "fallback", "coalesce"))
def or_else(
    otherwise: X,
    value: Annotated[X | None, Doc("Such as an optional input of the graph.")] = None,
) -> X:
    """The value, or the other where none is given."""
    return otherwise if value is None else value
