"""Cases for evaluations: held-out scenes, and scenes of which one thing is to be replaced."""

from dataclasses import dataclass, replace

import numpy as np

from nodes.shapes.captions import caption, with_article
from nodes.shapes.render import render
from nodes.shapes.world import CANVAS, COLOURS, SHAPES, Scene, Thing, sample_scene

MARGIN = 1.2
"""How far a hole reaches beyond the thing in it, in units."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A picture uint8 [S, S, 3], what is known of it (bool [S, S]), and the caption of what it shall become."""

    picture: np.ndarray
    known: np.ndarray
    caption: str


def held_out_scenes(count: int, things: int, seed: int) -> list[Scene]:
    """Held-out scenes with one or two things. Raises ValueError for another number."""
    if things not in (1, 2):
        raise ValueError(f"scenes of {things} things are never held out; ask for 1 or 2")
    rng = np.random.default_rng([seed, things])
    mixture = (1.0, 0.0, 0.0) if things == 1 else (0.0, 1.0, 0.0)
    return [sample_scene(rng, "held_out", mixture) for _ in range(count)]


def captions_of(scenes: list[Scene], seed: int, whole: bool = False) -> list[str]:
    """What scenes are called; what is said of them is drawn at random, or everything."""
    rng = np.random.default_rng([seed, 3])
    return [caption(scene, rng, whole) for scene in scenes]


def named(thing: Thing) -> str:
    """A thing by colour and shape alone: "a red circle"."""
    return with_article(f"{thing.colour} {thing.shape}")


def recoloured(scenes: list[Scene], seed: int) -> list[str]:
    """The first thing of each scene by name, in another colour."""
    rng = np.random.default_rng([seed, 5])
    first = [scene.things[0] for scene in scenes]
    return [named(replace(t, colour=_other(rng, tuple(COLOURS), t.colour))) for t in first]


def edits(count: int, size: int, seed: int) -> list[Edit]:
    """Scenes of two things, of which one is cut out and shall become another: colour and shape differ, the rest stays."""
    rng = np.random.default_rng([seed, 4])
    return [_edit(sample_scene(rng, "train", (0.0, 1.0, 0.0)), size, rng) for _ in range(count)]


def _edit(scene: Scene, size: int, rng: np.random.Generator) -> Edit:
    which = int(rng.integers(2))
    old = scene.things[which]
    colour = _other(rng, tuple(COLOURS), old.colour)
    new = replace(old, colour=colour, shape=_other(rng, SHAPES, old.shape), rgb=COLOURS[colour])
    things = (new, scene.things[1]) if which == 0 else (scene.things[0], new)
    known = ~_hole(old, size)
    return Edit(render(scene, size), known, caption(replace(scene, things=things), rng))


def _other(rng: np.random.Generator, choices: tuple[str, ...], than: str) -> str:
    left = [choice for choice in choices if choice != than]
    return left[int(rng.integers(len(left)))]


def _hole(thing: Thing, size: int) -> np.ndarray:
    """The pixels of the square round a thing."""
    centres = (np.arange(size) + 0.5) / size * CANVAS
    reach = thing.radius + MARGIN
    across, down = abs(centres - thing.x) < reach, abs(centres - thing.y) < reach
    return down[:, None] & across[None]
