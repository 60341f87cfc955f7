"""Nodes that measure how pictures differ from each other, and how they pass from one to another."""

from typing import Annotated, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from nodegraph import Doc, Mismatch, Range, node
from nodes.models.embeddings import same_space
from nodes.wires.embeddings import ClipImage
from nodes.wires.pictures import Image
from nodes.wires.tables import Table

PAIRS = ("set", "distance")
STEPS = ("step", "to_first", "to_last", "to_first_se", "to_last_se")
PATHS = ("path", "away", "towards", "monotone", "right_steps")


def _abstract_pairs(images: Image, samples: int) -> Table:
    if samples < 2 or len(images) % samples:
        raise Mismatch(f"{len(images)} pictures are no sets of {samples}", port="samples")
    return Table(PAIRS, ())


@node(
    category="evaluation",
    words=("diversity", "variety"),
    abstract=_abstract_pairs,
    version=2,
    renames={1: {"each": "samples"}},
)
def pairwise_difference(
    images: Image, samples: Annotated[int, Range(2), Doc("Pictures in a set, one after the other.")]
) -> Table:
    """How much the pictures of a set differ: mean absolute difference of pixels over all its pairs, in [0, 2], one row a set.

    Raises Mismatch when pictures are left over.
    """
    _abstract_pairs(images, samples)
    sets = images.flatten(1).unflatten(0, (-1, samples))  # [S, n, P]
    pairs = torch.combinations(torch.arange(samples, device=images.device))  # [K, 2]
    means = [float((s[pairs[:, 0]] - s[pairs[:, 1]]).abs().mean()) for s in sets]
    return Table(PAIRS, tuple((i, round(mean, 6)) for i, mean in enumerate(means)))


class Passage(NamedTuple):
    """`steps`: mean cosines with both ends, a row for each step; `paths`: whether they rise and fall, a row for each path."""

    steps: Table
    paths: Table


def _abstract_passage(path: ClipImage, first: ClipImage, last: ClipImage) -> Passage:
    for port, end in (("first", first), ("last", last)):
        same_space(path.space, end, "the path's space", port)
    rows = len(first.values)
    if len(last.values) != rows or len(path.values) % rows or len(path.values) // rows < 2:
        ends = f"{rows} and {len(last.values)} ends"
        raise Mismatch(f"{len(path.values)} pictures on the way between {ends}", port="path")
    return Passage(Table(STEPS, ()), Table(PATHS, ()))


@node(category="evaluation", words=("interpolation", "monotone"), abstract=_abstract_passage)
def clip_passage(path: ClipImage, first: ClipImage, last: ClipImage) -> Passage:
    """How pictures pass from one to another: N paths of T ≥ 2 pictures [N·T], and the N pictures at either end, all by CLIP.

    Of each path: whether the cosine with the first end falls at every step (`away`), with the last rises (`towards`), whether
    their difference rises (`monotone`), and at which share of the steps it does (`right_steps`). Raises Mismatch for
    embeddings of two CLIPs, or pictures that are left over.
    """
    _abstract_passage(path, first, last)
    rows = len(first.values)
    on_way = path.values.float().unflatten(0, (rows, -1))  # [N, T, D]
    ends = [end.values.to(on_way)[:, None] for end in (first, last)]
    to_first, to_last = (F.cosine_similarity(on_way, end, dim=-1).cpu() for end in ends)  # [N, T]
    means = torch.stack([to_first.mean(0), to_last.mean(0)], 1)  # [T, 2]
    errors = torch.stack([c.std(0, correction=0) / rows**0.5 for c in (to_first, to_last)], 1)
    steps = [(i, *_rounded(row)) for i, row in enumerate(torch.cat([means, errors], 1))]
    rising = (to_last - to_first).diff(dim=1) >= 0  # [N, T − 1]
    whole = [(to_first.diff(dim=1) <= 0).all(1), (to_last.diff(dim=1) >= 0).all(1), rising.all(1)]
    shares = torch.stack([*(w.float() for w in whole), rising.float().mean(1)], 1)  # [N, 4]
    paths = [(i, *_rounded(row)) for i, row in enumerate(shares)]
    return Passage(Table(STEPS, tuple(steps)), Table(PATHS, tuple(paths)))


def _rounded(values: Tensor) -> list[float]:
    return [round(value, 6) for value in values.tolist()]
