"""Scenes that a caption describes: what it says is so, the rest is drawn at random."""

from dataclasses import replace

import numpy as np

from nodes.shapes.captions import Wanted, parse_caption
from nodes.shapes.world import COLOURS, Scene, sample_scene

TRIES = 10_000
"""A size and a relation are both met by one scene in 36."""


def described(caption: str, rng: np.random.Generator) -> Scene:
    """A scene of which the caption is true. Raises NotACaption, or ValueError for what never stands in the shapes world."""
    wanted = parse_caption(caption)
    mixture = [float(count == len(wanted.things)) for count in (1, 2, 3)]
    drawn = (sample_scene(rng, mixture=mixture) for _ in range(TRIES))
    found = next((scene for scene in drawn if _laid_out(scene, wanted)), None)
    if found is None:
        raise ValueError(f"nothing like '{caption}' stands in the shapes world")
    return _looking(found, wanted)


def _laid_out(scene: Scene, wanted: Wanted) -> bool:
    """Whether sizes, position and relation are as the caption says."""
    sizes = all(
        asked.size in (None, thing.size)
        for asked, thing in zip(wanted.things, scene.things, strict=True)
    )
    place = wanted.position in (None, scene.position)
    return sizes and place and wanted.relation in (None, scene.relation)


def _looking(scene: Scene, wanted: Wanted) -> Scene:
    """The scene with the colours, shapes and background of the caption."""
    things = tuple(
        replace(thing, colour=asked.colour, shape=asked.shape, rgb=COLOURS[asked.colour])
        for asked, thing in zip(wanted.things, scene.things, strict=True)
    )
    return replace(scene, things=things, background=wanted.background or scene.background)
