"""Scenes as pictures, antialiased, at any size. Masks are cached, so that training waits for nothing."""

import math
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from nodes.shapes.world import BACKGROUNDS, CANVAS, Scene

SAMPLES = 8
"""Samples along each side of a pixel."""
PLACES = 8
"""Positions within a pixel at which masks are cached."""
RADIUS_STEP = 0.05
RING_HOLE = 0.52
REACH = 1.15
"""No shape reaches further than this many radii."""

Points = list[tuple[float, float]]


@lru_cache
def outline(shape: str) -> Points | None:
    """Corners of a shape of radius 1, or None for those made of circles. Raises ValueError on an unknown shape."""
    arm = 0.34
    polygons: dict[str, Points] = {
        "square": [(-0.88, -0.88), (0.88, -0.88), (0.88, 0.88), (-0.88, 0.88)],
        "triangle": [(0, -1), (1, 0.85), (-1, 0.85)],
        "diamond": [(0, -1.05), (0.78, 0), (0, 1.05), (-0.78, 0)],
        "cross": [
            (-arm, -1),
            (arm, -1),
            (arm, -arm),
            (1, -arm),
            (1, arm),
            (arm, arm),
            (arm, 1),
            (-arm, 1),
            (-arm, arm),
            (-1, arm),
            (-1, -arm),
            (-arm, -arm),
        ],
        "star": _star(),
        "heart": _heart(),
    }
    if shape in ("circle", "ring"):
        return None
    if shape not in polygons:
        raise ValueError(f"unknown shape '{shape}'")
    return polygons[shape]


def _star() -> Points:
    angles = [i * math.pi / 5 for i in range(10)]
    reach = [1.1 if i % 2 == 0 else 0.45 for i in range(10)]
    return [(r * math.sin(a), -r * math.cos(a) + 0.08) for r, a in zip(reach, angles, strict=True)]


def _heart() -> Points:
    t = np.linspace(0, 2 * np.pi, 160, endpoint=False)
    x = np.sin(t) ** 3
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)) / 15 - 0.1
    return [(float(a), float(b)) for a, b in zip(x, y, strict=True)]


def mask(shape: str, radius: int, x: int, y: int) -> np.ndarray:
    """Coverage float32 [2h, 2h] in [0, 1] of a shape whose centre lies x, y eighths of a pixel beyond the middle.

    `radius` in twentieths of a pixel.
    """
    return _hits(shape, radius, x, y) / np.float32(SAMPLES**2)


# All masks of a 32 px world fit (18,000, 10 MB); as bytes, those of a 256 px world stay below 300 MB.
@lru_cache(20_000)
def _hits(shape: str, radius: int, x: int, y: int) -> np.ndarray:
    """How many samples of each pixel lie in the shape, uint8 [2h, 2h]."""
    length = radius * RADIUS_STEP
    half = math.ceil(REACH * length) + 2
    side = 2 * half
    picture = Image.new("L", (side * SAMPLES, side * SAMPLES))
    centre = ((half + x / PLACES) * SAMPLES - 0.5, (half + y / PLACES) * SAMPLES - 0.5)
    _draw(ImageDraw.Draw(picture), shape, centre, length * SAMPLES)
    fine = np.asarray(picture).reshape(side, SAMPLES, side, SAMPLES) > 0
    return fine.sum((1, 3), dtype=np.uint8)


def _draw(
    draw: ImageDraw.ImageDraw, shape: str, centre: tuple[float, float], radius: float
) -> None:
    x, y = centre
    corners = outline(shape)
    if corners is not None:
        draw.polygon([(x + radius * a, y + radius * b) for a, b in corners], fill=255)
        return
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    if shape == "ring":
        hole = RING_HOLE * radius
        draw.ellipse((x - hole, y - hole, x + hole, y + hole), fill=0)


def stamp(
    size: int, shape: str, radius: float, x: float, y: float
) -> tuple[np.ndarray, tuple[slice, slice]]:
    """A shape's coverage where it meets a picture of `size` pixels, and the window it covers; lengths in pixels."""
    column, row = int(x), int(y)
    cover = mask(
        shape, round(radius / RADIUS_STEP), int((x - column) * PLACES), int((y - row) * PLACES)
    )
    half = len(cover) // 2
    top, left = row - half, column - half
    rows = slice(max(0, top), max(0, min(size, top + 2 * half)))
    columns = slice(max(0, left), max(0, min(size, left + 2 * half)))
    return cover[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left], (
        rows,
        columns,
    )


def render(scene: Scene, size: int) -> np.ndarray:
    """The picture of a scene, uint8 [size, size, 3]."""
    picture = ground(scene, size)
    scale = size / CANVAS
    for thing in scene.things:
        cover, window = stamp(
            size, thing.shape, thing.radius * scale, thing.x * scale, thing.y * scale
        )
        place = picture[window]
        place += cover[..., None] * (np.array(thing.rgb, np.float32) - place)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def ground(scene: Scene, size: int) -> np.ndarray:
    """The background, float32 [size, size, 3]."""
    top, bottom = (
        np.array(rgb, np.float32) + np.array(scene.shift) for rgb in BACKGROUNDS[scene.background]
    )
    share = ((np.arange(size, dtype=np.float32) + 0.5) / size)[:, None, None]
    column = top * (1 - share) + bottom * share
    return np.repeat(column, size, axis=1).astype(np.float32)
