"""Nodes that measure classifiers and CLIPs."""

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
from nodes.shapes.classes import CLASSES, class_batch
from nodes.shapes.world import SHAPES, batch
from nodes.training.dataset import pictures_to_signal
from nodes.types import PORT_TYPES as PORT_TYPES
from nodes.types import Classifier, Clip, OpenClip, Seed, Table

COLUMNS = ("t", "class", "class_se", "colour", "colour_se", "shape", "shape_se")
RETRIEVAL = ("scenes", "caption", "caption_se", "picture", "picture_se")
Count = Annotated[int, Range(1, 100_000), Doc("Held-out pictures of single objects.")]
Chunk = Annotated[int, Range(1, 4096), Doc("Pictures at once; the result does not depend on it.")]


def _abstract_classes(model: Classifier, **_: object) -> Table:
    if model.config.classes != len(CLASSES):
        classes = model.config.classes
        raise Mismatch(f"'{model.name}' tells {classes} classes, not {len(CLASSES)}", port="model")
    return Table(COLUMNS, ())


@node(category="evaluation", words=("noise level", "timestep"), abstract=_abstract_classes)
def classifier_accuracy(
    model: Classifier, count: Count = 256, seed: Seed = 0, chunk: Chunk = 64
) -> Generator[Progress, None, Table]:
    """How often a classifier of the shapes world is right, by timestep of the noise: class, its colour, its shape.

    Held-out scenes at 11 timesteps of its chain; `_se` columns are standard errors; chance is 1/64 and 1/8.
    """
    size = model.config.trunk.image_size
    return (yield from _by_noise(model.logits, model.trained, size, (count, seed, chunk)))


def _abstract_texts(model: Clip, **_: object) -> Table:
    if model.trained is None:
        raise Mismatch(f"'{model.name}' knows clean pictures only", port="model")
    return Table(COLUMNS, ())


@node(category="evaluation", words=("zero-shot", "noise level"), abstract=_abstract_texts)
def clip_accuracy(
    model: Clip, count: Count = 256, seed: Seed = 0, chunk: Chunk = 64
) -> Generator[Progress, None, Table]:
    """How often a noised CLIP finds a picture's caption among those of all 64 classes, by timestep of the noise.

    As `classifier_accuracy`, with captions such as "a red circle". Raises Mismatch for a CLIP of clean pictures.
    """
    _abstract_texts(model)
    names = [f"{'an' if name[0] in 'aeiou' else 'a'} {name}" for name in CLASSES]
    texts = model.module().texts(names)  # [64, D]

    def logits(x_t: Tensor, t: Tensor) -> Tensor:
        return model.module().images(x_t, t) @ texts.T

    assert model.trained is not None
    size = model.config.image_size
    return (yield from _by_noise(logits, model.trained, size, (count, seed, chunk)))


def _abstract_retrieval(model: OpenClip, **_: object) -> Table:
    return Table(RETRIEVAL, ())


@node(category="evaluation", words=("zero-shot", "top-1"), abstract=_abstract_retrieval)
def clip_retrieval(
    model: OpenClip, count: Annotated[int, Range(2, 10_000), Doc("Scenes.")] = 256, seed: Seed = 0
) -> Table:
    """How often the nearest of `count` captions is a picture's, and the nearest picture a caption's: one row.

    Held-out scenes of one and two objects, with captions that leave nothing out; `_se` columns are standard errors.
    Ref: Radford et al. 2021 (CLIP), §3.
    """
    rng = np.random.default_rng([seed, 5])
    pictures, texts = batch(rng, count, model.config.image_size, "held_out", (0.5, 0.5, 0), 1.0)
    seen = F.normalize(model.see(pictures_to_signal(pictures)).values, dim=-1)  # [N, D]
    read = F.normalize(model.read(texts)[0].values, dim=-1)  # [N, D]
    cosine = seen @ read.T
    row: list[float] = [count]
    for nearest in (cosine.argmax(1), cosine.argmax(0)):
        right = np.mean([texts[i] == texts[found] for i, found in enumerate(nearest.tolist())])
        row += [round(float(right), 4), round(float(right * (1 - right) / count) ** 0.5, 4)]
    return Table(RETRIEVAL, (tuple(row),))


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
