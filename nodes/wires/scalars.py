"""How literals of the nodes' types are read when types are checked. Imports no torch, and so is found without it."""

from typing import Any

from nodegraph.errors import nearest
from nodegraph.literals import BadLiteral
from nodes.diffusion.steps import TooFew, canonical_steps
from nodes.shapes.classes import CLASSES


def read_steps(literal: Any) -> str:
    """Steps of a schedule as a text: 20 and "20" are the same. Raises BadLiteral."""
    if isinstance(literal, float):
        raise BadLiteral("E208", f"{literal} steps are no whole number")
    try:
        return canonical_steps(literal)
    except TooFew as error:
        raise BadLiteral("E206", str(error)) from None


def read_seed(literal: Any) -> int:
    """A seed, of which 64 bits count. Raises BadLiteral."""
    if isinstance(literal, float) and not literal.is_integer():
        raise BadLiteral("E208", f"{literal} is not a whole number; a seed is one")
    return int(literal) % 2**64


def read_label(literal: Any) -> int | str:
    """A class: its number, or its name in the shapes world in lower case; nothing for none of them. Raises BadLiteral."""
    if isinstance(literal, float):
        raise BadLiteral("E208", f"{literal} is no class: give its whole number, or its name")
    if isinstance(literal, int):
        return literal
    name = " ".join(literal.lower().split())
    if name.removeprefix("-").isdecimal():
        return int(name)
    if name and name not in CLASSES:
        hint = nearest(name, CLASSES) or "give its number, or a colour and a shape: red circle"
        raise BadLiteral("E207", f"there is no class '{literal}'", hint)
    return name


def read_size(literal: Any) -> list[int]:
    """Height and width, of one side or of both. Raises BadLiteral."""
    sides = [_side(side) for side in (literal if isinstance(literal, list) else [literal])]
    if len(sides) not in (1, 2):
        raise BadLiteral("E208", f"{sides} is no size", "give a number, or [height, width]")
    return [sides[0], sides[-1]]


def _side(literal: Any) -> int:
    if isinstance(literal, str) and literal.strip().isdecimal():
        return int(literal)
    if isinstance(literal, bool) or not isinstance(literal, int):
        raise BadLiteral("E208", f"{literal!r} is no whole number of pixels")
    return literal
