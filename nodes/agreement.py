"""Nodes that compare pictures with the pictures they were made after."""

from itertools import permutations
from typing import Annotated

import torch
from torch import Tensor

from nodegraph import Doc, Mismatch, node
from nodes.shapes.oracle import Reading, Seen, read_picture
from nodes.wires.masks import Mask
from nodes.wires.pictures import Image, to_bytes
from nodes.wires.tables import Table

NEAR = 4.0
"""Things nearer than this, in units of the 32-unit canvas, are at the same place."""
AGREEMENT = ("count", "content", "structure", "style", "background")


def _abstract_agreement(images: Image, references: Image) -> Table:
    _rows(references, images, "references")
    return Table(("picture", *AGREEMENT), ())


@node(category="evaluation", words=("oracle", "reference picture"), abstract=_abstract_agreement)
def shapes_agreement(
    images: Image,
    references: Annotated[Image, Doc("One for all, or one for each stretch of pictures.")],
) -> Table:
    """What pictures of the shapes world share with a reference, by the oracle, one row of 0 and 1 each.

    `count`: as many objects; `content`: the same colours and shapes; `structure`: objects at the same places (within 4 of
    32 units), whatever they are; `style`: the same colours, wherever; `background`. Raises Mismatch on other numbers of rows.
    """
    wanted = [read_picture(p) for p in to_bytes(_rows(references, images, "references"))]
    found = [read_picture(p) for p in to_bytes(images)]
    rows = [_agreement(f, w) for f, w in zip(found, wanted, strict=True)]
    return Table(("picture", *AGREEMENT), tuple((i, *map(int, r)) for i, r in enumerate(rows)))


def _agreement(found: Reading, wanted: Reading) -> tuple[bool, ...]:
    def kinds(reading: Reading) -> list[tuple[str, str]]:
        return sorted((thing.colour, thing.shape) for thing in reading.things)

    def colours(reading: Reading) -> list[str]:
        return sorted(thing.colour for thing in reading.things)

    return (
        len(found.things) == len(wanted.things),
        kinds(found) == kinds(wanted),
        _same_places(found.things, wanted.things),
        colours(found) == colours(wanted),
        found.background == wanted.background,
    )


def _same_places(found: tuple[Seen, ...], wanted: tuple[Seen, ...]) -> bool:
    """Whether things can be paired so that each pair is near. Four things or more are never in a scene."""
    if len(found) != len(wanted) or len(found) > 3:
        return False
    return any(
        all(
            abs(a.x - b.x) < NEAR and abs(a.y - b.y) < NEAR
            for a, b in zip(order, wanted, strict=True)
        )
        for order in permutations(found)
    )


def _abstract_difference(images: Image, references: Image) -> Table:
    _rows(references, images, "references")
    return Table(("picture", "largest", "mean"), ())


@node(category="evaluation", words=("known pixels", "error"), abstract=_abstract_difference)
def pixel_difference(
    images: Image,
    references: Image,
    mask: Annotated[Mask | None, Doc("Where pixels are compared: 1. Empty: everywhere.")] = None,
) -> Table:
    """Largest and mean absolute difference of pictures to references, in [0, 2], one row each.

    Raises Mismatch on other numbers of rows, other sizes, or a mask that is 0 everywhere.
    """
    others = _rows(references, images, "references")
    weight = torch.ones_like(images[:, :1]) if mask is None else _rows(mask, images, "mask")
    if others.shape[-2:] != images.shape[-2:] or weight.shape[-2:] != images.shape[-2:]:
        raise Mismatch("pictures, references and mask have other sizes", port="references")
    inside = (weight >= 1).expand_as(images)
    if not bool(inside.flatten(1).any(1).all()):
        raise Mismatch("there is a mask without a known pixel", port="mask")
    rows = [
        (i, float(d[m].max()), float(d[m].mean()))
        for i, (d, m) in enumerate(zip((images - others).abs(), inside, strict=True))
    ]
    return Table(("picture", "largest", "mean"), tuple(rows))


def _rows(few: Tensor, many: Tensor, port: str) -> Tensor:
    """Each of few rows repeated so that there are as many. Raises Mismatch when they cannot be shared out."""
    if len(many) % len(few):
        raise Mismatch(f"{len(few)} rows for {len(many)} pictures", port=port)
    return few.repeat_interleave(len(many) // len(few), 0)
