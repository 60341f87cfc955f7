"""Classes of single things: their names, and pictures of them."""

import numpy as np

from nodes.shapes.captions import caption, with_article
from nodes.shapes.render import render
from nodes.shapes.vocabulary import CLASSES
from nodes.shapes.world import Scene, Split, sample_scene

NAMES = tuple(with_article(name) for name in CLASSES)
"""What they are called in captions: a red circle, an orange star."""


def class_of(scene: Scene) -> int:
    """Number of a scene with one thing: colour · 8 + shape, in the orders of `COLOURS` and `SHAPES`."""
    (thing,) = scene.things
    return CLASSES.index(f"{thing.colour} {thing.shape}")


def class_batch(
    rng: np.random.Generator, count: int, size: int, split: Split = "train"
) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Pictures of single things uint8 [count, size, size, 3], their captions, and their classes int64 [count]."""
    scenes = [sample_scene(rng, split, (1.0, 0.0, 0.0)) for _ in range(count)]
    pictures = np.stack([render(scene, size) for scene in scenes])
    return pictures, [caption(s, rng) for s in scenes], np.array([class_of(s) for s in scenes])
