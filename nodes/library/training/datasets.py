"""Nodes that give training batches."""

import math
from collections.abc import Generator, Sequence
from typing import Annotated, Literal, NamedTuple

import numpy as np
import torch

from nodegraph import Doc, Mismatch, Progress, Range, node
from nodes.models.clip import Clip
from nodes.models.embeddings import Embedding
from nodes.shapes.classes import NAMES
from nodes.training.dataset import (
    ClassPictures,
    Crops,
    Dataset,
    Flipped,
    Points,
    ShapesPictures,
)
from nodes.wires.embeddings import ClipImage, ClipText
from nodes.wires.scalars import Seed, Text
from nodes.wires.tables import Table

Pixels = Annotated[int, Range(16, 512), Doc("Pixels.")]


@node(words=("data", "shapes world"))
def shapes_dataset(
    size: Pixels = 32,
    single: Annotated[float, Range(0, 1), Doc("Share of pictures with one object.")] = 0.45,
    double: Annotated[float, Range(0, 1), Doc("Share with two; the rest has three.")] = 0.47,
    whole: Annotated[
        float,
        Range(0, 1),
        Doc("Share of captions that leave nothing out; the rest does at random."),
    ] = 0.0,
    alike: Annotated[
        int,
        Range(1, 8),
        Doc(
            "Scenes of a batch in groups of this size that differ only in shapes: hard negatives for CLIP."
        ),
    ] = 1,
) -> Dataset:
    """Captioned pictures of the shapes world, rendered as they are needed. Held-out scenes never appear."""
    if single + double > 1:
        raise Mismatch(f"the shares add up to {single + double:g}, more than 1", port="double")
    return ShapesPictures(size, (single, double, 1 - single - double), whole, alike)


@node(words=("labels", "classes", "shapes world"))
def class_dataset(size: Pixels = 32) -> Dataset:
    """Single objects of the shapes world with their class, 0 … 63: colour · 8 + shape. Held-out scenes never appear."""
    return ClassPictures(size)


@node(words=("labels", "captions", "shapes world"))
def class_names() -> list[Text]:
    """Names of the 64 classes of the shapes world, "a red circle", and the empty text for none."""
    return [*NAMES, ""]


@node(words=("patches", "random crop"))
def crop_dataset(dataset: Dataset, size: Pixels = 64) -> Dataset:
    """Random square crops of pictures, for fully convolutional networks.

    Raises Mismatch for pictures that are smaller. Ref: Ramesh et al. 2022, §2.1.
    """
    *_, height, width = (1, *dataset.sample_shape)
    if len(dataset.sample_shape) != 3 or min(height, width) < size:
        raise Mismatch(f"no {size} px can be cut out of {list(dataset.sample_shape)}", port="size")
    return Crops(dataset, size)


def _abstract_rows(table: Table, columns: list[str]) -> Dataset:
    for name in columns:
        table.column(name, "columns")
    return Points(torch.empty(0, len(columns)), ",".join(columns))


@node(words=("augmentation", "mirror"))
def flip_dataset(
    dataset: Dataset,
    share: Annotated[float, Range(0, 1), Doc("Of the pictures that are mirrored.")] = 0.5,
    sided: Annotated[
        list[Text], Doc("A picture whose caption has one of these words stays as it is.")
    ] = ["left", "right"],  # noqa: B006
) -> Dataset:
    """Pictures of a data set, some of them mirrored. Raises Mismatch for what is no picture."""
    if len(dataset.sample_shape) != 3:
        raise Mismatch(f"{list(dataset.sample_shape)} is no picture", port="dataset")
    return Flipped(dataset, share, tuple(word.lower() for word in sided))


@node(words=("data", "rows", "vectors"), abstract=_abstract_rows)
def table_dataset(
    table: Table, columns: Annotated[list[str], Doc("Columns of numbers that make a vector.")]
) -> Dataset:
    """Rows of a table as vectors [B, D], each column with mean 0 and deviation 1. Raises Mismatch on other than numbers."""
    values = [table.column(name, "columns") for name in columns]
    try:
        rows = np.array(values, np.float32).T
    except ValueError:
        raise Mismatch(f"not all of {', '.join(columns)} are numbers", port="columns") from None
    if not len(rows):
        raise Mismatch("the table has no rows", port="table")
    return Points(_standard(rows), ",".join(columns))


@node(words=("point cloud", "toy data"))
def points_dataset(
    shape: Literal["two_moons", "spiral", "ring"] = "two_moons",
    count: Annotated[int, Range(2, 1_000_000)] = 10_000,
    seed: Seed = 0,
) -> Dataset:
    """Points in the plane, [N, 2], with mean 0 and standard deviation about 1."""
    rng = np.random.default_rng(seed)
    angle = rng.random(count) * math.pi
    if shape == "two_moons":
        upper = rng.random(count) < 0.5
        x = np.where(upper, np.cos(angle), 1 - np.cos(angle))
        y = np.where(upper, np.sin(angle), 0.5 - np.sin(angle))
    elif shape == "spiral":
        x, y = angle * np.cos(3 * angle), angle * np.sin(3 * angle)
    else:
        x, y = np.cos(2 * angle), np.sin(2 * angle)
    rows = np.stack([x, y], 1) + 0.05 * rng.standard_normal((count, 2))
    return Points(_standard(rows), f"{shape}-{seed}")


def _standard(rows: np.ndarray) -> torch.Tensor:
    """Rows [N, D] with mean 0 and standard deviation 1 in each column that is not constant."""
    spread = rows.std(0)
    return torch.from_numpy((rows - rows.mean(0)) / np.where(spread > 0, spread, 1)).float()


class Pairs(NamedTuple):
    """Embeddings [N, D] of pictures, and of their captions."""

    images: ClipImage
    texts: ClipText


CHUNK = 256


def _abstract_pairs(clip: Clip, dataset: Dataset, count: int) -> Pairs:
    picture = torch.empty(1, *dataset.sample_shape, device=clip.device)
    parts = clip.see(picture), clip.read([""])[0]
    return Pairs(*(Embedding(p.values.expand(count, -1), p.space) for p in parts))


@node(words=("data", "statistics", "embeddings"), abstract=_abstract_pairs)
def dataset_embeddings(
    clip: Clip,
    dataset: Dataset,
    count: Annotated[int, Range(2, 1_000_000), Doc("Pictures.")] = 4096,
    seed: Seed = 0,
) -> Generator[Progress, None, Pairs]:
    """CLIP's embeddings of pictures of a data set, and of their captions. Raises ValueError for one without captions."""
    made: list[Pairs] = []
    for first in range(0, count, CHUNK):
        size = min(CHUNK, count - first)
        batch = dataset.batch(np.random.default_rng([seed, first]), size)
        if batch.captions is None:
            raise ValueError("the data set has no captions")
        made.append(Pairs(clip.see(batch.signal), clip.read(batch.captions)[0]))
        yield Progress(first + size, count)
    return Pairs(*(_below(part) for part in zip(*made, strict=True)))


def _below(parts: Sequence[Embedding]) -> Embedding:
    """Embeddings of one CLIP, one below the other."""
    return Embedding(torch.cat([part.values for part in parts]), parts[0].space)
