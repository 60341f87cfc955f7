"""Nodes that ask what embeddings hold, whatever is made of them later."""

from collections.abc import Generator
from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from nodegraph import Doc, Progress, Range, node
from nodes.library.evaluation.tables import interval_cells, interval_columns
from nodes.measures.bootstrap import mean_intervals, resampled_counts
from nodes.measures.probe import perceptron, standardised, trained_steps
from nodes.models.clip import Clip
from nodes.shapes.cases import held_out_scenes
from nodes.shapes.render import render
from nodes.shapes.vocabulary import CLASSES, COLOURS, SHAPES
from nodes.shapes.world import Scene, sample_scene
from nodes.training.dataset import pictures_to_signal
from nodes.training.seeding import seeded
from nodes.wires.scalars import Seed
from nodes.wires.tables import Table

NAMES = (*CLASSES, *COLOURS, *SHAPES)
"""What a probe is asked of a picture: things by colour and shape, then colours and shapes alone."""
PARTS = {
    "things": slice(0, len(CLASSES)),
    "colours": slice(len(CLASSES), len(CLASSES) + len(COLOURS)),
    "shapes": slice(len(CLASSES) + len(COLOURS), len(NAMES)),
}
CHUNK, RESAMPLES = 250, 10_000


def _abstract_probe(clip: Clip) -> Table:
    clip.see(torch.empty(1, 3, 64, 64, device="meta"))
    return Table(("held", "rows", *interval_columns(["share"])), ())


@node(words=("linear probe", "bottleneck", "embedding"), abstract=_abstract_probe)
def embedding_probe(
    clip: Clip,
    count: Annotated[
        int, Range(1, 1_000_000), Doc("Scenes that the probe is trained on.")
    ] = 12_000,
    held_out: Annotated[
        int, Range(1, 100_000), Doc("Held-out scenes that it is asked of.")
    ] = 2_000,
    things: Annotated[int, Range(1, 2), Doc("In each scene.")] = 2,
    hidden: Annotated[int, Range(0, 8192), Doc("Width of two hidden layers; 0: linear.")] = 512,
    steps: Annotated[int, Range(1, 1_000_000)] = 3_000,
    seed: Seed = 0,
) -> Generator[Progress, None, Table]:
    """In which share of held-out scenes a probe reads all `things` (colour and shape), `colours` or `shapes` of an embedding.

    What it cannot read, hardly anything brings back that gets the embedding alone: a prior, a decoder without text. With 95 %
    intervals of the bootstrap over scenes. Raises Mismatch for a CLIP without an image tower. Ref: Alain & Bengio 2017.
    """
    rng, mixture = np.random.default_rng([seed, 11]), (float(things == 1), float(things == 2), 0.0)
    known = [sample_scene(rng, "train", mixture) for _ in range(count)]
    vectors = _embedded(clip, known)
    at_home = standardised(vectors)
    with seeded(seed):
        network = perceptron(vectors.shape[1], len(NAMES), hidden)
    for step, loss in enumerate(
        trained_steps(network, at_home(vectors), _held(known), steps, seed), 1
    ):
        if step % 100 == 0:
            yield Progress(step, steps, None, f"loss {loss:.4f}")
    asked = held_out_scenes(held_out, things, seed)
    with torch.no_grad():
        logits = network(at_home(_embedded(clip, asked)))
    right = _right(logits, _held(asked))
    found = mean_intervals(right, resampled_counts(held_out, RESAMPLES, seed))
    rows = ((name, held_out, *interval_cells((i,))) for name, i in zip(PARTS, found, strict=True))
    return Table(("held", "rows", *interval_columns(["share"])), tuple(rows))


def _embedded(clip: Clip, scenes: list[Scene]) -> Tensor:
    """Embeddings [N, D] of the pictures of scenes, at 64 px."""
    found: list[Tensor] = []
    for first in range(0, len(scenes), CHUNK):
        pictures = np.stack([render(scene, 64) for scene in scenes[first : first + CHUNK]])
        seen = clip.see(pictures_to_signal(pictures).to(clip.device))
        found.append(seen.values.float().cpu())
    return torch.cat(found)


def _held(scenes: list[Scene]) -> Tensor:
    """What scenes hold, of `NAMES`: 0 and 1, float32 [N, K]."""
    rows = torch.zeros(len(scenes), len(NAMES))
    for row, scene in zip(rows, scenes, strict=True):
        for thing in scene.things:
            for name in (f"{thing.colour} {thing.shape}", thing.colour, thing.shape):
                row[NAMES.index(name)] = 1
    return rows


def _right(logits: Tensor, held: Tensor) -> np.ndarray:
    """Whether all of a part of `NAMES` is told, and nothing more: as many as there are, the likeliest; 0 and 1, [parts, N]."""
    return np.array([_likeliest(logits[:, part], held[:, part]) for part in PARTS.values()])


def _likeliest(logits: Tensor, held: Tensor) -> list[float]:
    ranks = logits.argsort(1, descending=True).argsort(1)
    told = ranks < held.sum(1, keepdim=True)
    return (told == held.bool()).all(1).double().tolist()
