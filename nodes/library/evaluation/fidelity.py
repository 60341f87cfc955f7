"""Nodes that measure how near generated pictures are to real ones, and how they differ from each other."""

import math
from collections.abc import Generator
from typing import Annotated, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nodegraph import Doc, Mismatch, Progress, Range, node
from nodes.library.clip import AnyClip, seen_by
from nodes.library.evaluation.tables import (
    Name,
    Place,
    Samples,
    interval_cells,
    interval_columns,
)
from nodes.measures import fidelity
from nodes.measures.bootstrap import centred_interval, resampled_counts
from nodes.models.clip import Clip
from nodes.models.embeddings import same_space
from nodes.models.noised_clip import NoisedClip
from nodes.wires.embeddings import ClipImage
from nodes.wires.pictures import Image
from nodes.wires.scalars import Seed
from nodes.wires.tables import Table
from nodes.wires.tensors import Signal

Features = Annotated[Signal, Doc("Features [N, D] of pictures, such as clip_features'.")]
Chunk = Annotated[int, Range(1, 4096), Doc("Pictures at once; the result does not depend on it.")]
Neighbours = Annotated[
    int, Range(1, 100), Doc("k: the k-th neighbour is the radius around each picture.")
]


def _abstract_features(clip: Clip | NoisedClip, image: Image) -> Signal:
    return seen_by(clip, image)


@node(words=("embedding", "FID"), abstract=_abstract_features)
def clip_features(
    clip: AnyClip, image: Image, chunk: Chunk = 64
) -> Generator[Progress, None, Signal]:
    """Features [N, D] of pictures by a CLIP's image encoder, as it gives them.

    Published scores use Inception's features, which mean little for the shapes world: compare scores of these with each
    other only, and judge pictures that a CLIP guided, or was conditioned by, with another. Raises Mismatch as `clip_score`.
    """
    rows: list[Tensor] = []
    for some in image.split(chunk):
        rows.append(seen_by(clip, some.to(clip.device)).float().cpu())
        yield Progress(sum(map(len, rows)), len(image))
    return torch.cat(rows)


def _abstract_fid(features: Signal, references: Signal) -> Table:
    _check_widths(features, references)
    return Table(("pictures", "references", "fid"), ())


@node(words=("Fréchet inception distance",), abstract=_abstract_fid)
def fid(features: Features, references: Features) -> Table:
    """Fréchet distance of features of generated pictures to those of real ones; 0 is best. Ref: Heusel et al. 2017, eq. 6.

    Biased upwards for few pictures: use several times as many as features have dimensions. Raises Mismatch where widths differ.
    """
    distance = fidelity.frechet_distance(*_at_home(features, references))
    return Table(("pictures", "references", "fid"), ((len(features), len(references), distance),))


def _abstract_kid(features: Signal, references: Signal) -> Table:
    _check_widths(features, references)
    return Table(("pictures", "references", "kid"), ())


@node(words=("kernel inception distance", "MMD"), abstract=_abstract_kid)
def kid(features: Features, references: Features) -> Table:
    """Kernel distance of features of generated pictures to those of real ones, unbiased; 0 is best.

    Raises Mismatch where widths differ. Ref: Bińkowski et al. 2018, §4.
    """
    distance = fidelity.kernel_distance(*_at_home(features, references))
    return Table(("pictures", "references", "kid"), ((len(features), len(references), distance),))


def _abstract_coverage(features: Signal, references: Signal) -> Table:
    _check_widths(features, references)
    return Table(("pictures", "references", "precision", "recall"), ())


@node(words=("coverage", "diversity"), abstract=_abstract_coverage)
def precision_recall(features: Features, references: Features, neighbours: Neighbours = 3) -> Table:
    """Share of generated pictures on the manifold of the real ones (precision), and the other way round (recall).

    Raises Mismatch where widths differ. Ref: Kynkäänniemi et al. 2019, eq. 1–3.
    """
    found = fidelity.precision_recall(*_at_home(features, references), neighbours)
    row = (len(features), len(references), found.precision, found.recall)
    return Table(("pictures", "references", "precision", "recall"), (row,))


FIGURES = {
    "fid": (0.0, math.inf),
    "kid": (-math.inf, math.inf),
    "precision": (0.0, 1.0),
    "recall": (0.0, 1.0),
}
"""Figures, and between what they lie."""


def _abstract_row(features: Signal, references: Signal, samples: int) -> Table:
    _check_widths(features, references)
    if len(features) % samples:
        raise Mismatch(f"{len(features)} pictures are no cases of {samples}", port="samples")
    return Table(("name", "x", "pictures", "references", *interval_columns(list(FIGURES))), ())


@node(words=("FID", "KID", "precision", "recall", "confidence interval"), abstract=_abstract_row)
def fidelity_row(
    features: Features,
    references: Features,
    name: Name = "",
    x: Place = 0.0,
    samples: Samples = 1,
    neighbours: Neighbours = 3,
    resamples: Annotated[int, Range(100, 100_000)] = 500,
    seed: Seed = 0,
) -> Table:
    """`fid`, `kid`, `precision` and `recall` in one row, with the ends of their 95 % intervals in columns `_low` and `_high`.

    The bootstrap over cases (captions) of the generated pictures; the references stay as they are, and so do the radii of the
    neighbours. Cases that are drawn twice make a set less varied: the intervals are moved to lie about the figures. Raises
    Mismatch as `fid`, and for a number of pictures that is no multiple of `samples`.
    """
    columns = _abstract_row(features, references, samples).columns
    cases = len(features) // samples
    counts = np.concatenate([np.ones((1, cases), int), resampled_counts(cases, resamples, seed)])
    rows = torch.from_numpy(counts).repeat_interleave(samples, 1)  # the first holds each row once
    both = _at_home(features, references)
    found = (
        fidelity.resampled_frechet(*both, rows),
        fidelity.resampled_kernel(*both, rows),
        *fidelity.resampled_coverage(*both, rows, neighbours),
    )
    intervals = tuple(
        centred_interval(float(f[0]), f[1:].numpy(), *ends)
        for f, ends in zip(found, FIGURES.values(), strict=True)
    )
    return Table(columns, ((name, x, *map(len, both), *interval_cells(intervals)),))


def _at_home(features: Tensor, references: Tensor) -> tuple[Tensor, Tensor]:
    """Both on the CPU, where float64 is, and figures are the same for every device. Raises Mismatch where widths differ."""
    _check_widths(features, references)
    return features.cpu(), references.cpu()


def _check_widths(features: Tensor, references: Tensor) -> None:
    if features.ndim != 2 or features.shape[1:] != references.shape[1:]:
        raise Mismatch(
            f"features are [N, D], of one width; these are {list(features.shape)} and {list(references.shape)}",
            port="references",
        )


PAIRS = ("set", "distance")
STEPS = ("step", "to_first", "to_last", "to_first_se", "to_last_se")
PATHS = ("path", "away", "towards", "monotone", "right_steps")


def _abstract_pairs(images: Image, samples: int) -> Table:
    if samples < 2 or len(images) % samples:
        raise Mismatch(f"{len(images)} pictures are no sets of {samples}", port="samples")
    return Table(PAIRS, ())


@node(
    words=("diversity", "variety"),
    abstract=_abstract_pairs,
    version=2,
    renames={1: {"each": "samples"}},
)
def pairwise_difference(
    images: Image, samples: Annotated[int, Range(2), Doc("Pictures in a set, one after the other.")]
) -> Table:
    """How much the pictures of a set differ: mean absolute difference of pixels over all its pairs, in [0, 2], one row a set.

    Raises Mismatch for a number of pictures that is no multiple of `samples`.
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


@node(words=("interpolation", "monotone"), abstract=_abstract_passage)
def clip_passage(path: ClipImage, first: ClipImage, last: ClipImage) -> Passage:
    """How monotone interpolations are to CLIP: N paths of T ≥ 2 pictures [N·T], and the N pictures at either end.

    Of each path: whether the cosine with the first end falls at every step (`away`), with the last rises (`towards`), whether
    their difference rises (`monotone`), and at which share of the steps it does (`right_steps`). Raises Mismatch for
    embeddings of two CLIPs, or a number of pictures that does not divide.
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
