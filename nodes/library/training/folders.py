"""Nodes for pictures of one's own: a folder as a data set, and what is in it."""

from collections import Counter
from collections.abc import Generator
from typing import Annotated, NamedTuple

import numpy as np
import torch

from nodegraph import Doc, Mismatch, Progress, Range, node
from nodes.library.training.datasets import Pixels
from nodes.models.clip import Clip
from nodes.models.embeddings import Embedding
from nodes.models.unet import UNet
from nodes.networks.tokenizer import frequent_words, left_out, tokenize, with_words, word_counts
from nodes.training.dataset import Dataset
from nodes.training.embedded import Embedded
from nodes.training.folder import FolderPictures, folder_pictures, listed_pictures
from nodes.wires.embeddings import ClipImage
from nodes.wires.pictures import Image
from nodes.wires.scalars import Seed, Text
from nodes.wires.tables import Table
from nodes.wires.training import ReadFolder

FolderOfPictures = Annotated[
    ReadFolder,
    Doc(
        "PNG, JPEG or WebP files with NAME.txt as caption, a folder for each class, or metadata.csv or .jsonl."
    ),
]


def _abstract_folder(folder: ReadFolder, size: int) -> Dataset:
    return listed_pictures(folder, size)


@node(words=("data", "files", "own pictures", "imagefolder"), abstract=_abstract_folder)
def folder_dataset(
    folder: FolderOfPictures, size: Pixels = 64
) -> Generator[Progress, None, Dataset]:
    """Pictures of a folder with their captions, each centre-cropped to `size` px; what cannot be read is named and left out.

    A metadata file has the columns file_name and text (or caption), as Hugging Face's imagefolder; the folder of a class gives
    label and, without NAME.txt, caption. Pictures are decoded once and kept in the cache. Raises ValueError when there is none.
    """
    count = len(listed_pictures(folder, size).pictures)
    looking = folder_pictures(folder, size)
    while True:
        try:
            yield Progress(next(looking), count, None, "pictures looked at")
        except StopIteration as stop:
            return stop.value


def _listed(dataset: Dataset) -> FolderPictures:
    """The folder behind a data set. Raises Mismatch for one that is drawn, whose pictures are in no list."""
    if isinstance(dataset, Embedded):
        return dataset.pictures
    if not isinstance(dataset, FolderPictures):
        raise Mismatch("only a folder's pictures can be listed", port="dataset")
    return dataset


@node(words=("vocabulary", "tokenizer", "own pictures"))
def caption_words(
    dataset: Dataset,
    at_least: Annotated[int, Range(1), Doc("Captions with the word; rarer ones are unknown.")] = 4,
    at_most: Annotated[int, Range(1, 50_000), Doc("Words; the most frequent ones.")] = 4096,
) -> list[Text]:
    """The words of a folder's captions in the order of the alphabet: a closed vocabulary; none without captions.

    Raises Mismatch for a data set that is no folder.
    """
    return frequent_words(_listed(dataset).captions, at_least, at_most)


def _abstract_embeddings(clip: Clip, dataset: Dataset) -> ClipImage:
    found = _listed(dataset)
    one = clip.see(torch.empty(1, *found.sample_shape, device=clip.device))
    return Embedding(one.values.expand(len(found), -1), one.space)


CHUNK = 256


@node(words=("CLIP", "own pictures", "cache"), abstract=_abstract_embeddings)
def picture_embeddings(clip: Clip, dataset: Dataset) -> Generator[Progress, None, ClipImage]:
    """CLIP's embeddings of all pictures of a folder, [N, D], in order. Raises Mismatch for a data set that is no folder."""
    found = _listed(dataset)
    made: list[torch.Tensor] = []
    for first in range(0, len(found), CHUNK):
        chunk = np.arange(first, min(first + CHUNK, len(found)))
        made.append(clip.see(found.take(chunk).signal).values)
        yield Progress(first + len(chunk), len(found))
    return Embedding(torch.cat(made), clip.config.space)


@node(words=("CLIP", "own pictures", "cache"))
def embedded_dataset(
    dataset: Dataset,
    clip: Annotated[Clip, Doc("The CLIP of the embeddings; others still look at the pictures.")],
    embeddings: Annotated[ClipImage, Doc("Of all its pictures: picture_embeddings.")],
) -> Dataset:
    """A folder whose pictures a prior or decoder in training need not show to CLIP again.

    Raises Mismatch for a data set that is no folder, or for other numbers of pictures and embeddings.
    """
    found = _listed(dataset)
    if len(embeddings.values) != len(found) and not clip.abstract:
        raise Mismatch(
            f"{len(embeddings.values)} embeddings of {len(found)} pictures", port="embeddings"
        )
    return Embedded(found, embeddings.values, clip.digest)


class Sheet(NamedTuple):
    """Pictures [N, 3, S, S] of a data set, and their captions."""

    images: Image
    captions: list[Text]


def _abstract_sheet(dataset: Dataset, count: int) -> Sheet:
    return Sheet(torch.empty(count, *dataset.sample_shape, device="meta"), [""] * count)


@node(words=("data", "sheet", "look"), abstract=_abstract_sheet)
def dataset_pictures(
    dataset: Dataset, count: Annotated[int, Range(1, 4096)] = 36, seed: Seed = 0
) -> Sheet:
    """Pictures as a training draws them, with their captions. Raises Mismatch for what is no picture."""
    if len(dataset.sample_shape) != 3:
        raise Mismatch(f"{list(dataset.sample_shape)} is no picture", port="dataset")
    batch = dataset.batch(np.random.default_rng(seed), count)
    return Sheet(batch.signal, list(batch.captions or [""] * count))


def _abstract_counts() -> Table:
    return Table(("what", "count"), ())


@node(words=("data", "statistics", "own pictures"), abstract=_abstract_counts)
def folder_counts(dataset: Dataset) -> Table:
    """How many pictures a folder has, of which sizes and classes, and how many words. Raises Mismatch for other data sets."""
    found = _listed(dataset)
    captions = found.captions
    sizes = found.squares.sizes if found.squares else ()
    shapes = Counter(f"{sizes[r][0]} × {sizes[r][1]} px" for r in found.rows if sizes)
    kinds = Counter(str(found.pictures[r].kind) for r in found.rows if found.classes)
    return Table(
        ("what", "count"),
        (
            ("pictures", len(found)),
            ("cannot be read", len(found.pictures) - len(found)),
            ("without caption", captions.count("")),
            ("different captions", len(set(captions))),
            ("different words", len(word_counts(captions))),
            *shapes.most_common(10),
            *((f"class {kind}", count) for kind, count in sorted(kinds.items())),
        ),
    )


LONGEST = ("caption", "pictures", "tokens", "cut", "unknown")


def _abstract_captions() -> Table:
    return Table(LONGEST, ())


@node(words=("data", "tokenizer", "own pictures"), abstract=_abstract_captions)
def folder_captions(
    dataset: Dataset,
    model: Annotated[UNet, Doc("Whose tokenizer reads them.")],
    words: Annotated[list[Text], Doc("A closed vocabulary in place of the model's.")] = [],  # noqa: B006
    count: Annotated[int, Range(1, 10_000), Doc("Captions; the longest ones.")] = 20,
) -> Table:
    """The longest captions of a folder, their tokens, and what a text transformer does not get of them: cut off, unknown.

    Raises Mismatch for a data set that is no folder or a model without a text transformer.
    """
    text = with_words(model.text_config(), words)
    often = Counter(_listed(dataset).captions)
    tokens = tokenize(text, list(often)).mask.sum(1).tolist() if often else []
    ranked = sorted(zip(tokens, often, strict=True), key=lambda one: (-one[0], -len(one[1])))
    rows: list[tuple[str, int, int, str, str]] = []
    for length, caption in ranked[:count]:
        missing = left_out(text, caption)
        rows.append((caption, often[caption], length, missing.cut, " ".join(missing.unknown)))
    return Table(LONGEST, tuple(rows))


class Neighbours(NamedTuple):
    """The picture of a folder [N, 3, S, S] that is nearest to each of N pictures, and a row for each: caption, difference."""

    images: Image
    table: Table


NEAREST = ("row", "caption", "difference")


def _beside(images: Image, dataset: Dataset) -> FolderPictures:
    """The folder beside whose pictures others are laid. Raises Mismatch for other sizes, or what is no folder."""
    found = _listed(dataset)
    if images.shape[1:] != found.sample_shape:
        raise Mismatch(
            f"pictures {list(images.shape[1:])} beside {list(found.sample_shape)}",
            port="images",
            hint="resize them, or give the data set their size",
        )
    return found


def _abstract_nearest(images: Image, dataset: Dataset) -> Neighbours:
    _beside(images, dataset)
    return Neighbours(torch.empty_like(images), Table(NEAREST, ()))


@node(words=("memorised", "overfitting", "duplicates"), abstract=_abstract_nearest)
def nearest_pictures(images: Image, dataset: Dataset) -> Generator[Progress, None, Neighbours]:
    """The picture of a folder that each picture differs least from: the root mean square over its pixels, in [0, 2].

    Shows whether a model has learned pictures by heart. Raises Mismatch for other sizes, or a data set that is no folder.
    """
    found, rows = _beside(images, dataset), images.cpu().float().flatten(1)
    best = torch.full((len(rows),), torch.inf)
    which = torch.zeros(len(rows), dtype=torch.int64)
    for first in range(0, len(found), CHUNK):
        chunk = np.arange(first, min(first + CHUNK, len(found)))
        away, at = torch.cdist(rows, found.take(chunk).signal.flatten(1)).min(1)
        which = torch.where(away < best, at + first, which)
        best = torch.minimum(away, best)
        yield Progress(first + len(chunk), len(found))
    near = found.take(which.numpy())
    differences = (best / rows.shape[1] ** 0.5).tolist()
    captions = near.captions or ()
    table = [
        (i, c, round(d, 4)) for i, (c, d) in enumerate(zip(captions, differences, strict=True))
    ]
    return Neighbours(near.signal.to(images), Table(NEAREST, tuple(table)))
