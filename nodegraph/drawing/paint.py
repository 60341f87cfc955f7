"""The colour and the sign of each port type, as the libraries declare them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from nodegraph.base.visible import visible_line
from nodegraph.library.port import Shape, TypeRef
from nodegraph.library.registry import PortFacts

PLAIN: Mapping[str, str] = {
    "str": "#f2c14e",
    "int": "#8ecae6",
    "float": "#60a5fa",
    "bool": "#f472b6",
}
NOTHING = "#9aa0a6"
SHAPES: Mapping[str, Shape] = {shape: shape for shape in get_args(Shape)}


@dataclass(frozen=True, slots=True)
class Paint:
    """How a type is drawn; `many` of it more thickly."""

    name: str
    colour: str
    shape: Shape
    many: bool = False


def paint_of(kind: TypeRef, ports: Mapping[str, PortFacts]) -> Paint:
    """How a type is drawn: a list as its items, several types as the first."""
    if kind.name in ("list", "|") and kind.args:
        inner = paint_of(kind.args[0], ports)
        many = kind.name == "list" or inner.many
        return Paint(inner.name, inner.colour, inner.shape, many)
    facts = ports.get(kind.name)
    if facts is not None:
        return Paint(kind.name, facts.colour, SHAPES.get(facts.shape, "circle"))
    name = "anything" if kind.variable or kind.name in ("*", "?") else visible_line(kind.name)
    return Paint(name, PLAIN.get(kind.name, NOTHING), "circle")
