"""Captioned pictures of sampled scenes: what networks of the shapes world are trained on."""

from collections.abc import Sequence

import numpy as np

from nodes.shapes.captions import caption
from nodes.shapes.render import render
from nodes.shapes.world import MIXTURE, Scene, Split, reshaped, sample_scene


def batch(
    rng: np.random.Generator,
    count: int,
    size: int,
    split: Split = "train",
    mixture: Sequence[float] = MIXTURE,
    whole: float = 0.0,
    alike: int = 1,
) -> tuple[np.ndarray, list[str]]:
    """Pictures uint8 [count, size, size, 3] and their captions, of which the share `whole` leaves nothing out.

    `alike`: as many scenes behind each other differ in nothing but the shapes of their things.
    """
    scenes: list[Scene] = []
    while len(scenes) < count:
        first = sample_scene(rng, split, mixture)
        scenes += [first, *(reshaped(first, rng, split) for _ in range(alike - 1))]
    scenes = scenes[:count]
    all_said = rng.random(count) < whole if whole else np.zeros(count, bool)
    return np.stack([render(scene, size) for scene in scenes]), [
        caption(scene, rng, bool(said)) for scene, said in zip(scenes, all_said, strict=True)
    ]
