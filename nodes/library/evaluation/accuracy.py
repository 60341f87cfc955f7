"""Nodes that measure how often pictures, classifiers and CLIPs are right."""

from collections.abc import Callable, Generator
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nodegraph import Doc, Mismatch, Progress, Range, node
from nodes.diffusion.noise import SeededNoise
from nodes.diffusion.process import q_sample
from nodes.diffusion.schedule import Schedule
from nodes.library.rows import at_port
from nodes.models.classifier import Classifier
from nodes.models.embeddings import same_space
from nodes.models.noised_clip import NoisedClip
from nodes.rows import share
from nodes.shapes.classes import NAMES, class_batch
from nodes.shapes.oracle import PARTS, judge
from nodes.shapes.vocabulary import CLASSES, SHAPES
from nodes.training.dataset import pictures_to_signal
from nodes.wires.embeddings import ClipImage, ClipText
from nodes.wires.pictures import Image, to_bytes
from nodes.wires.scalars import Seed, Text
from nodes.wires.tables import Table


def _abstract_oracle() -> Table:
    return Table(("caption", *PARTS), ())


@node(words=("accuracy", "judge"), abstract=_abstract_oracle)
def shapes_oracle(
    images: Image,
    captions: Annotated[list[Text], Doc("One for all pictures, or one for each n in a row.")],
) -> Table:
    """The oracle of the shapes world reads pictures: one row each, 1 or 0 for every part of the caption.

    Raises Mismatch where the pictures are no multiple of the captions.
    """
    pictures = to_bytes(images)
    with at_port("captions"):
        each = share(len(captions), len(pictures), "captions", "pictures")
    wanted = [caption for caption in captions for _ in range(each)]
    verdicts = [judge(caption, picture) for caption, picture in zip(wanted, pictures, strict=True)]
    rows = tuple(
        (w, *(int(getattr(v, p)) for p in PARTS)) for w, v in zip(wanted, verdicts, strict=True)
    )
    return Table(("caption", *PARTS), rows)


COLUMNS = ("t", "class", "class_se", "colour", "colour_se", "shape", "shape_se")
RETRIEVAL = ("pairs", "caption", "caption_se", "picture", "picture_se", "rank")
Count = Annotated[int, Range(1, 100_000), Doc("Held-out pictures of single objects.")]
Chunk = Annotated[int, Range(1, 4096), Doc("Pictures at once; the result does not depend on it.")]


def _abstract_classes(model: Classifier) -> Table:
    if model.config.classes != len(CLASSES):
        classes = model.config.classes
        raise Mismatch(f"'{model.name}' tells {classes} classes, not {len(CLASSES)}", port="model")
    return Table(COLUMNS, ())


@node(words=("noise level", "timestep"), abstract=_abstract_classes)
def classifier_accuracy(
    model: Classifier, count: Count = 256, seed: Seed = 0, chunk: Chunk = 64
) -> Generator[Progress, None, Table]:
    """How often a classifier of the shapes world is right, by timestep of the noise: class, its colour, its shape.

    Held-out scenes at 11 timesteps of its chain; `_se` columns are standard errors; chance is 1/64 and 1/8.
    """

    def logits(x_t: Tensor, t: Tensor) -> Tensor:
        return model.logits(x_t.to(model.device), t.to(model.device))

    size = model.config.trunk.image_size
    return (yield from _by_noise(logits, model.trained, size, (count, seed, chunk)))


def _abstract_texts(model: NoisedClip) -> Table:
    if model.trained is None:
        raise Mismatch(f"'{model.name}' knows clean pictures only", port="model")
    return Table(COLUMNS, ())


@node(words=("zero-shot", "noise level"), abstract=_abstract_texts)
def clip_accuracy(
    model: NoisedClip, count: Count = 256, seed: Seed = 0, chunk: Chunk = 64
) -> Generator[Progress, None, Table]:
    """How often a noised CLIP finds a picture's caption among those of all 64 classes, by timestep of the noise.

    As `classifier_accuracy`, with captions such as "a red circle". Raises Mismatch for a CLIP of clean pictures.
    """
    _abstract_texts(model)
    texts = model.module().texts(list(NAMES))  # [64, D]

    def logits(x_t: Tensor, t: Tensor) -> Tensor:
        return model.module().images(x_t.to(model.device), t.to(model.device)) @ texts.T

    assert model.trained is not None
    size = model.config.image_size
    return (yield from _by_noise(logits, model.trained, size, (count, seed, chunk)))


def _abstract_retrieval(images: ClipImage, texts: ClipText) -> Table:
    same_space(images.space, texts, "the pictures' space", "texts")
    if len(images.values) != len(texts.values):
        pairs = f"{len(texts.values)} texts for {len(images.values)} pictures"
        raise Mismatch(pairs, port="texts", hint="wire one text for each picture")
    return Table(RETRIEVAL, ())


@node(words=("zero-shot", "top-1", "rank"), abstract=_abstract_retrieval)
def clip_retrieval(images: ClipImage, texts: ClipText) -> Table:
    """Retrieval accuracy between N pictures and their N texts by the cosine of their embeddings: one row.

    `caption`: share of pictures to which their own text is the nearest; `picture`: of texts to which their picture is, with
    standard errors; `rank`: the mean rank of a picture's own text, 1 at best. Texts that are the same to CLIP count as one.
    Raises Mismatch for embeddings of two CLIPs, or other numbers of rows. Ref: Radford et al. 2021 (CLIP), §3.
    """
    _abstract_retrieval(images, texts)
    seen, read = (F.normalize(part.values.float(), dim=-1) for part in (images, texts))
    cosines = seen @ read.T.to(seen)  # [N, N]
    own = cosines.diagonal()[:, None] + 1e-6
    ranks = 1 + (cosines > own).sum(1).double(), 1 + (own < cosines.T).sum(1).double()
    row: list[float] = [len(seen)]
    for rank in ranks:
        right = float((rank == 1).double().mean())
        row += [round(right, 4), round((right * (1 - right) / len(seen)) ** 0.5, 4)]
    return Table(RETRIEVAL, ((*row, round(float(ranks[0].mean()), 2)),))


def _by_noise(
    logits: Callable[[Tensor, Tensor], Tensor],
    chain: Schedule,
    size: int,
    options: tuple[int, int, int],
) -> Generator[Progress, None, Table]:
    count, seed, chunk = options
    pictures, _, labels = class_batch(np.random.default_rng(seed), count, size, "held_out")
    levels = np.linspace(0, len(chain) - 1, 11).astype(int)
    rows: list[tuple[float, ...]] = []
    for done, level in enumerate(levels, 1):
        guesses = [
            _guess(logits, chain, pictures[first : first + chunk], int(level), (seed, first))
            for first in range(0, count, chunk)
        ]
        rows.append((int(level), *_shares(np.concatenate(guesses), labels)))
        yield Progress(done, len(levels), None, f"t = {level}: {rows[-1][1]:.0%}")
    return Table(COLUMNS, tuple(rows))


def _guess(
    logits: Callable[[Tensor, Tensor], Tensor],
    chain: Schedule,
    pictures: np.ndarray,
    level: int,
    place: tuple[int, int],
) -> np.ndarray:
    """The classes that a recogniser tells, of pictures noised to one level; `place`: seed and first sample."""
    seed, first = place
    x0 = pictures_to_signal(pictures)
    t = torch.full((len(x0),), level)
    noise = SeededNoise(seed).draw(range(first, first + len(x0)), level, tuple(x0.shape[1:]))
    return logits(q_sample(chain, x0, t, noise), t).argmax(1).cpu().numpy()


def _shares(guesses: np.ndarray, labels: np.ndarray) -> tuple[float, ...]:
    """Share and standard error of right classes, colours, shapes."""
    shapes = len(SHAPES)
    right = (
        guesses == labels,
        guesses // shapes == labels // shapes,
        guesses % shapes == labels % shapes,
    )
    means = [float(r.mean()) for r in right]
    errors = [(m * (1 - m) / len(labels)) ** 0.5 for m in means]
    return tuple(round(v, 4) for pair in zip(means, errors, strict=True) for v in pair)
