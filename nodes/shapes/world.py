"""What may stand in a picture, and how scenes are drawn at random. Lengths are units of a 32-unit canvas, y down."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np

from nodes.shapes.vocabulary import COLOURS, SHAPES, Rgb

T = TypeVar("T")
Split = Literal["train", "held_out"]

CANVAS = 32.0
BACKGROUNDS: dict[str, tuple[Rgb, Rgb]] = {
    "white": ((250, 250, 250), (250, 250, 250)),
    "black": ((15, 15, 15), (15, 15, 15)),
    "gray": ((128, 128, 128), (128, 128, 128)),
    "beige": ((235, 225, 205), (235, 225, 205)),
    "gradient": ((235, 235, 240), (90, 90, 100)),
}
"""Colours at the top and at the bottom."""
RADII = {"small": (3.8, 4.4), "medium": (5.2, 5.8), "large": (6.5, 7.1)}
POSITIONS = {
    "center": "in the center",
    "left": "on the left",
    "right": "on the right",
    "top": "at the top",
    "bottom": "at the bottom",
}
OPPOSITE = {
    "to the left of": "to the right of",
    "to the right of": "to the left of",
    "above": "below",
    "below": "above",
}
MIXTURE = (0.45, 0.47, 0.08)
"""Shares of scenes with one, two and three things."""
GAP = 2.0
MARGIN = 0.8


@dataclass(frozen=True, slots=True)
class Thing:
    """One object: centre (x, y), radius, and its exact colour."""

    colour: str
    shape: str
    size: str
    x: float
    y: float
    radius: float
    rgb: Rgb


@dataclass(frozen=True, slots=True)
class Scene:
    """Things on a background; `shift` is the background's jitter, `position` is set for one thing, `relation` for two."""

    things: tuple[Thing, ...]
    background: str
    shift: Rgb
    position: str | None = None
    relation: str | None = None


def held_out(scene: Scene) -> bool:
    """Whether a scene belongs to the tenth that never appears in training, by the combination of what it holds."""
    if len(scene.things) == 1:
        thing = scene.things[0]
        name = f"{thing.colour} {thing.shape}|{thing.size}|{scene.position}|{scene.background}"
    elif len(scene.things) == 2:
        name = "|".join(sorted(f"{thing.colour} {thing.shape}" for thing in scene.things))
    else:
        return False
    return zlib.crc32(name.encode()) % 10 == 0


def sample_scene(
    rng: np.random.Generator, split: Split = "train", mixture: Sequence[float] = MIXTURE
) -> Scene:
    """A scene of the split; three things are never held out, so `held_out` needs a mixture without them."""
    while True:
        count = int(rng.choice(3, p=mixture))
        things, position, relation = _LAYOUTS[count](rng)
        shift = rng.integers(-5, 6, 3)
        scene = Scene(things, _pick(rng, tuple(BACKGROUNDS)), _rgb(shift), position, relation)
        if held_out(scene) == (split == "held_out"):
            return scene


def reshaped(scene: Scene, rng: np.random.Generator, split: Split) -> Scene:
    """A scene of the split that differs from another at most in the shapes of its things."""
    while True:
        things = tuple(replace(thing, shape=_pick(rng, SHAPES)) for thing in scene.things)
        found = replace(scene, things=things)
        if held_out(found) == (split == "held_out"):
            return found


Layout = tuple[tuple[Thing, ...], str | None, str | None]


def _one(rng: np.random.Generator) -> Layout:
    look = _look(rng)
    position = _pick(rng, tuple(POSITIONS))
    near = rng.uniform(look.radius + MARGIN, 9.5)
    across, middle = rng.uniform(13, 19), rng.uniform(14, 18, 2)
    places = {
        "center": (middle[0], middle[1]),
        "left": (near, across),
        "right": (CANVAS - near, across),
        "top": (across, near),
        "bottom": (across, CANVAS - near),
    }
    return (look.at(*places[position]),), position, None


def _two(rng: np.random.Generator) -> Layout:
    first, second = _look(rng), _look(rng)
    slack = CANVAS - 2 * MARGIN - 2 * first.radius - 2 * second.radius - GAP
    before, between = np.sort(rng.uniform(0, slack, 2))
    along_first = MARGIN + first.radius + before
    along_second = along_first + first.radius + second.radius + GAP + between - before
    across = rng.uniform(12, 20, 2)
    if rng.random() < 0.5:
        things = (first.at(along_first, across[0]), second.at(along_second, across[1]))
        relation = "to the left of"
    else:
        things = (first.at(across[0], along_first), second.at(across[1], along_second))
        relation = "above"
    if rng.random() < 0.5:
        return things[::-1], None, OPPOSITE[relation]
    return things, None, relation


def _three(rng: np.random.Generator) -> Layout:
    looks = [_look(rng, ("small",)) for _ in range(3)]
    places = [(x + rng.uniform(-0.2, 0.2), rng.uniform(13, 19)) for x in (5.2, 16.0, 26.8)]
    return tuple(look.at(x, y) for look, (x, y) in zip(looks, places, strict=True)), None, None


_LAYOUTS: tuple[Callable[[np.random.Generator], Layout], ...] = (_one, _two, _three)


@dataclass(frozen=True, slots=True)
class _Look:
    colour: str
    shape: str
    size: str
    radius: float
    rgb: Rgb

    def at(self, x: float, y: float) -> Thing:
        return Thing(self.colour, self.shape, self.size, float(x), float(y), self.radius, self.rgb)


def _look(rng: np.random.Generator, sizes: Sequence[str] = tuple(RADII)) -> _Look:
    colour, size = _pick(rng, tuple(COLOURS)), _pick(rng, sizes)
    rgb = np.clip(np.array(COLOURS[colour]) + rng.integers(-8, 9, 3), 0, 255)
    return _Look(colour, _pick(rng, SHAPES), size, float(rng.uniform(*RADII[size])), _rgb(rgb))


def _pick(rng: np.random.Generator, choices: Sequence[T]) -> T:
    return choices[int(rng.integers(len(choices)))]


def _rgb(values: np.ndarray) -> Rgb:
    red, green, blue = (int(v) for v in values)
    return red, green, blue
