"""Nodes that compare pictures, and embeddings, with those they were made after."""

import math
from itertools import permutations
from typing import Annotated, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from nodegraph import Doc, Mismatch, Range, node
from nodes.diffusion import masks
from nodes.library.pictures import shown
from nodes.library.rows import at_port
from nodes.models.embeddings import same_space
from nodes.rows import level, share, spread
from nodes.shapes.oracle import Reading, Seen, read_picture
from nodes.wires.embeddings import ClipImage
from nodes.wires.masks import Mask
from nodes.wires.pictures import Image, to_bytes
from nodes.wires.tables import Table

NEAR = 4.0
"""Things nearer than this, in units of the 32-unit canvas, are at the same place."""
AGREEMENT = ("count", "content", "structure", "style", "background")


def _abstract_agreement(images: Image, references: Image) -> Table:
    _rows(references, images, "references")
    return Table(("picture", *AGREEMENT), ())


@node(words=("oracle", "reference picture"), abstract=_abstract_agreement)
def shapes_agreement(
    images: Image,
    references: Annotated[Image, Doc("One for all pictures, or one for each n in a row.")],
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


@node(words=("known pixels", "error"), abstract=_abstract_difference)
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
    """Few rows for many pictures. Raises Mismatch when they cannot be shared out."""
    with at_port(port):
        return spread(few, len(many), port, "pictures")


class Comparison(NamedTuple):
    """`image`: both pictures and their difference beside each other; `table`: a row of figures for each pair."""

    image: Image
    table: Table


FIGURES = ("row", "max_difference", "mean_difference", "psnr")


def _abstract_comparison(
    first: Tensor, second: Tensor, mask: Tensor | None, gain: float
) -> Comparison:
    a, b, known = _pairs(first, second, mask)
    return Comparison(_beside(a, b, known, gain), Table(FIGURES, ()))


@node(words=("difference", "PSNR", "before after"), abstract=_abstract_comparison)
def compare(
    first: Image,
    second: Image,
    mask: Annotated[Mask | None, Doc("Only known pixels (1) are compared.")] = None,
    gain: Annotated[float, Range(0, 255), Doc("Brightness of the difference that is shown.")] = 1.0,
) -> Comparison:
    """Two pictures and |first − second| beside each other, [B, 3, H, 3W], and their largest and mean difference in [0, 2].

    `psnr` in decibels, infinite for equal pictures. Raises Mismatch when their sizes differ.
    """
    a, b, known = _pairs(first, second, mask)
    rows = [_figures(a[i], b[i], known[i]) for i in range(len(a))]
    table = Table(FIGURES, tuple((number, *row) for number, row in enumerate(rows)))
    return Comparison(_beside(a, b, known, gain), table)


def _pairs(first: Tensor, second: Tensor, mask: Tensor | None) -> list[Tensor]:
    if first.shape[1:] != second.shape[1:]:
        raise Mismatch(
            f"{shown(first)} and {shown(second)}",
            port="second",
            hint="resize it with like: first",
        )
    known = first.new_ones(1, 1, *first.shape[-2:]) if mask is None else mask
    with at_port(None):
        return level(
            first, second, masks.mask_at(known, (first.shape[-2], first.shape[-1])), what="pictures"
        )


def _beside(a: Tensor, b: Tensor, known: Tensor, gain: float) -> Tensor:
    difference = ((a - b).abs() * known * gain).clamp(max=2) - 1
    return torch.cat([a, b, difference], -1)


def _figures(a: Tensor, b: Tensor, known: Tensor) -> tuple[float, float, float]:
    """Largest and mean difference, and peak signal-to-noise ratio, where pixels are known, 0, 0 and ∞ where none is."""
    difference = (a - b).abs().double() * known
    weight = max(float(known.sum()) * len(a), 1e-12)
    square = float((difference**2).sum()) / weight
    ratio = math.inf if not square else 10 * math.log10(4 / square)
    return float(difference.max()), float(difference.sum()) / weight, ratio


COSINE = ("row", "cosine")
CHUNK = 256


def _abstract_cosine(embeddings: ClipImage, references: ClipImage) -> Table:
    same_space(references.space, embeddings, "the references' space", "embeddings")
    with at_port("references"):
        share(len(references.values), len(embeddings.values), "references", "embeddings")
    return Table(COSINE, ())


@node(words=("similarity", "CLIP"), abstract=_abstract_cosine)
def embedding_cosine(embeddings: ClipImage, references: ClipImage) -> Table:
    """Cosine of embeddings with their references, one row each; R references for R·n embeddings stand for n in a row.

    Raises Mismatch for embeddings of two CLIPs, or where n is not whole.
    """
    _abstract_cosine(embeddings, references)
    values, wanted = embeddings.values.float(), references.values.to(embeddings.values)
    found = F.cosine_similarity(values, spread(wanted.float(), len(values)))
    return Table(COSINE, tuple((i, round(c, 6)) for i, c in enumerate(found.tolist())))
