"""Texts and numbers on the wires: prompts, seeds, steps, classes and sizes. Literals of them are read when types are checked.

Imports no torch, and so is found without it.
"""

from typing import Annotated, Any

from nodegraph import Doc
from nodegraph.base.codes import Code
from nodegraph.base.diagnostics import nearest
from nodegraph.language.literals import BadLiteral
from nodegraph.library.port import Context, PortType
from nodes.diffusion.steps import TooFew, canonical_steps
from nodes.shapes.vocabulary import CLASSES


def read_steps(literal: Any) -> str:
    """Steps of a schedule as a text: 20 and "20" are the same. Raises BadLiteral."""
    if isinstance(literal, float):
        raise BadLiteral(Code.BAD_LITERAL, f"{literal} steps are no whole number")
    try:
        return canonical_steps(literal)
    except TooFew as error:
        raise BadLiteral(Code.OUT_OF_RANGE, str(error)) from None


def read_seed(literal: Any) -> int:
    """A seed, of which 64 bits count. Raises BadLiteral."""
    if isinstance(literal, float) and not literal.is_integer():
        raise BadLiteral(Code.BAD_LITERAL, f"{literal} is not a whole number; a seed is one")
    return int(literal) % 2**64


def read_label(literal: Any) -> int | str:
    """A class: its number, or its name in the shapes world in lower case; nothing for none of them. Raises BadLiteral."""
    if isinstance(literal, float):
        raise BadLiteral(
            Code.BAD_LITERAL, f"{literal} is no class: give its whole number, or its name"
        )
    if isinstance(literal, int):
        return literal
    name = " ".join(literal.lower().split())
    if name.removeprefix("-").isdecimal():
        return int(name)
    if name and name not in CLASSES:
        hint = nearest(name, CLASSES) or "give its number, or a colour and a shape: red circle"
        raise BadLiteral(Code.NOT_IN_MENU, f"there is no class '{literal}'", hint)
    return name


def read_size(literal: Any) -> list[int]:
    """Height and width, of one side or of both. Raises BadLiteral."""
    sides = [_side(side) for side in (literal if isinstance(literal, list) else [literal])]
    if len(sides) not in (1, 2):
        raise BadLiteral(
            Code.BAD_LITERAL, f"{sides} is no size", "give a number, or [height, width]"
        )
    return [sides[0], sides[-1]]


def _side(literal: Any) -> int:
    if isinstance(literal, str) and literal.strip().isdecimal():
        return int(literal)
    if isinstance(literal, bool) or not isinstance(literal, int):
        raise BadLiteral(Code.BAD_LITERAL, f"{literal!r} is no whole number of pixels")
    return literal


def _as_is(literal: Any, context: Context) -> Any:
    return literal


Text = Annotated[
    str,
    PortType(
        "Text", "Words; one prompt, in any case.", literal="text", colour="#f2c14e", parse=_as_is
    ),
]
Seed = Annotated[
    int,
    PortType(
        "Seed",
        "A whole number that names all the noise of a run.",
        literal="number",
        colour="#8ecae6",
        read=read_seed,
    ),
]
Steps = Annotated[
    int | str,
    PortType(
        "Steps",
        "Steps to visit of a trained chain: 27, or 10,10,3,2,2 in equal sections, ddim50, trailing8, fast27; empty: all.",
        literal="scalar",
        colour="#fcd34d",
        read=read_steps,
        example=lambda context: "2",
        widens_from=("int", "str"),
    ),
]
Label = Annotated[
    int | str,
    PortType(
        "Label",
        "A class: its number, or its name in the shapes world such as red circle; empty: none of them.",
        literal="scalar",
        colour="#f9a8d4",
        read=read_label,
        example=lambda context: 0,
        widens_from=("int", "str"),
    ),
]
Size = Annotated[
    int | list[int],
    PortType(
        "Size",
        "Pixels of a side, or [height, width].",
        literal="list",
        colour="#bef264",
        read=read_size,
        widens_from=("int", "list[int]"),
    ),
]
Stream = Annotated[str, Doc("Keeps the noise of stages that share a seed apart.")]
