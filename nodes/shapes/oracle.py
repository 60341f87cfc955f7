"""The oracle: reads a picture back, and says which parts of a caption it obeys.

It finds saturated regions (backgrounds are not saturated), and explains each by the shape, place and radius whose
rendering comes nearest.
"""

from collections import deque
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations

import numpy as np
from PIL import Image

from nodes.shapes.captions import Wanted, parse_caption
from nodes.shapes.render import mask, stamp
from nodes.shapes.world import BACKGROUNDS, CANVAS, COLOURS, SHAPES

SATURATION = 62
LARGEST = 64
"""Pictures are read at no more than this many pixels."""
SMALLEST_AREA = 6.0
"""Smaller regions, in units², are specks."""
SIZE_BOUNDS = (4.8, 6.15)
POOR = 0.4
"""Misfit above which a region may be two things."""
DOUBTFUL = 0.15
"""Misfit above which a region is also read by brightness, which JPEG keeps finer than colour."""
PATIENCE = 1.25
"""How much worse the reading by brightness may fit, its contrast being lower, and still be believed."""
CHROMA_WEIGHT = 0.01
LUMA_CHROMA = np.array(
    [[0.299, 0.587, 0.114], [-0.1687, -0.3313, 0.5], [0.5, -0.4187, -0.0813]], np.float32
)
"""RGB to luma and both chromas. Ref: JFIF 1.02, p. 3."""
CENTRAL = 3.4
APART = 3.0
PARTS = (
    "count",
    "colour",
    "shape",
    "colour_and_shape",
    "relation",
    "position",
    "size",
    "background",
    "correct",
)


Fit = tuple[str, float, float, float, float]
"""Shape, radius, x, y in pixels, and misfit."""
UNEXPLAINED: Fit = ("", 0.0, 0.0, 0.0, float("inf"))
"""Of a region in which no shape stands out from the background, such as a picture of one colour."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A thing that was found; centre and radius in units, `misfit`: mean absolute error of its best explanation."""

    colour: str
    shape: str
    size: str
    x: float
    y: float
    radius: float
    misfit: float


@dataclass(frozen=True, slots=True)
class Reading:
    """What a picture holds, the largest things first."""

    things: tuple[Seen, ...]
    background: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which parts of a caption a picture obeys; parts that the caption does not say are True."""

    count: bool
    colour: bool
    shape: bool
    colour_and_shape: bool
    relation: bool
    position: bool
    size: bool
    background: bool

    @property
    def correct(self) -> bool:
        """Everything that the caption says, and nothing beside it."""
        return all(
            (
                self.count,
                self.colour_and_shape,
                self.relation,
                self.position,
                self.size,
                self.background,
            )
        )


def read_picture(picture: np.ndarray) -> Reading:
    """Read a picture uint8 [H, W, 3], square, at least 32 px."""
    pixels = _shrunk(picture)
    scale = len(pixels) / CANVAS
    strong = pixels.max(-1) - pixels.min(-1) > SATURATION
    regions = [r for r in _regions(strong) if r.sum() / scale**2 >= SMALLEST_AREA]
    ground = _ground(pixels, strong)
    things = [
        thing for region in regions for thing in _things_in(pixels, ground, region, strong, scale)
    ]
    things.sort(key=lambda thing: -thing.radius)
    return Reading(tuple(things), _background(pixels, strong))


def _shrunk(picture: np.ndarray) -> np.ndarray:
    if len(picture) > LARGEST:
        picture = np.asarray(
            Image.fromarray(picture).resize((LARGEST, LARGEST), Image.Resampling.BOX)
        )
    return picture.astype(np.float32)


def _regions(strong: np.ndarray) -> list[np.ndarray]:
    """Connected regions (4 neighbours) of a mask, each as a mask."""
    left = strong.copy()
    regions: list[np.ndarray] = []
    for row, column in np.argwhere(strong):
        if left[row, column]:
            regions.append(_flooded(left, int(row), int(column)))
    return regions


def _flooded(left: np.ndarray, row: int, column: int) -> np.ndarray:
    region = np.zeros_like(left)
    waiting = deque([(row, column)])
    left[row, column] = False
    while waiting:
        y, x = waiting.popleft()
        region[y, x] = True
        for b, a in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if 0 <= b < len(left) and 0 <= a < len(left) and left[b, a]:
                left[b, a] = False
                waiting.append((b, a))
    return region


def _ground(pixels: np.ndarray, strong: np.ndarray) -> np.ndarray:
    """The background as a colour for each row [H, 1, 3]: medians, or their line over all rows where a row is hidden."""
    weak = pixels.max(-1) - pixels.min(-1) < SATURATION * 0.6
    rows = np.arange(len(pixels))
    known = [r for r in rows if weak[r].sum() > 2]
    if len(known) < 2:
        return np.broadcast_to(np.median(pixels.reshape(-1, 3), 0), (len(pixels), 1, 3))
    medians = np.array([np.median(pixels[r][weak[r]], 0) for r in known])
    columns = [np.interp(rows, known, medians[:, channel]) for channel in range(3)]
    return np.stack(columns, -1)[:, None]


def _background(pixels: np.ndarray, strong: np.ndarray) -> str:
    ground = _ground(pixels, strong)[:, 0]
    edge = max(1, len(ground) // 8)
    ends = np.concatenate([ground[:edge].mean(0), ground[-edge:].mean(0)])
    distances = {
        name: float(np.abs(ends - np.concatenate(pair)).sum()) for name, pair in BACKGROUNDS.items()
    }
    return min(distances, key=distances.__getitem__)


def _things_in(
    pixels: np.ndarray, ground: np.ndarray, region: np.ndarray, strong: np.ndarray, scale: float
) -> list[Seen]:
    """The thing that a region is, or two of other colours that compression has joined, if those explain it better."""
    whole = _explained(pixels, ground, region, strong, scale)
    if whole.misfit < POOR:
        return [whole]
    halves = [h for h in _by_colour(pixels, region) if h.sum() / scale**2 >= SMALLEST_AREA]
    parts = [_explained(pixels, ground, half, strong, scale) for half in halves]
    better = len(parts) == 2 and max(part.misfit for part in parts) < whole.misfit
    return parts if better else [whole]


def _by_colour(pixels: np.ndarray, region: np.ndarray) -> list[np.ndarray]:
    """The region's pixels by their nearest colours, the two commonest; the largest connected part of each."""
    palette = np.array(list(COLOURS.values()))
    nearest = ((pixels[:, :, None] - palette) ** 2).sum(-1).argmin(-1)
    names, counts = np.unique(nearest[_core(region)], return_counts=True)
    chosen = names[np.argsort(-counts)[:2]]
    parts = [_regions(region & (nearest == name)) for name in chosen]
    return [max(part, key=lambda r: int(r.sum())) for part in parts if part]


def _explained(
    pixels: np.ndarray, ground: np.ndarray, region: np.ndarray, strong: np.ndarray, scale: float
) -> Seen:
    rgb = np.median(pixels[_core(region)], 0)
    others = _grown(strong & ~region)
    reach = _grown(_grown(region)) & (~others | region)
    shape, radius, x, y, misfit = _read_fit(pixels, ground, rgb, reach)
    units = radius / scale
    return Seen(_nearest_colour(rgb), shape, _size(units), x / scale, y / scale, units, misfit)


def _read_fit(pixels: np.ndarray, ground: np.ndarray, rgb: np.ndarray, reach: np.ndarray) -> Fit:
    """The best fit by colour; where that is doubtful, by brightness if it fits about as well."""
    fit = _best_fit(_cover(pixels, ground, rgb) * reach)
    if fit[-1] <= DOUBTFUL:
        return fit
    brightness = (LUMA_CHROMA * np.sqrt([[1.0], [CHROMA_WEIGHT], [CHROMA_WEIGHT]])).T
    cover = _cover(pixels @ brightness, ground @ brightness, rgb @ brightness)
    bright = _best_fit(cover * reach)
    return bright if bright[-1] < PATIENCE * fit[-1] else fit


def _core(region: np.ndarray) -> np.ndarray:
    """The region without its edge, where it has more than an edge."""
    inner = region.copy()
    for axis in (0, 1):
        for step in (-1, 1):
            inner &= np.roll(region, step, axis)
    return inner if inner.sum() >= 4 else region


def _grown(region: np.ndarray) -> np.ndarray:
    grown = region.copy()
    for axis in (0, 1):
        for step in (-1, 1):
            grown |= np.roll(region, step, axis)
    return grown


def _cover(pixels: np.ndarray, ground: np.ndarray, rgb: np.ndarray) -> np.ndarray:
    """How far each pixel lies on the way from the background to the colour, [H, W] in [0, 1]; 0 where both are one."""
    way = rgb - ground
    return np.clip(((pixels - ground) * way).sum(-1) / np.maximum((way**2).sum(-1), 1e-6), 0, 1)


@lru_cache
def _moments(shape: str) -> tuple[float, float]:
    """Area of a shape of radius 1, and how far its centroid lies below its centre."""
    cover = mask(shape, 1200, 0, 0)
    half, radius = len(cover) // 2, 60.0
    rows = np.arange(len(cover)) + 0.5 - half
    area = float(cover.sum())
    return area / radius**2, float((cover.sum(1) * rows).sum() / area / radius)


def _best_fit(cover: np.ndarray) -> Fit:
    """The shape that explains a cover best; only the likeliest three are fitted closely. Nothing explains an empty one."""
    if not cover.any():
        return UNEXPLAINED
    rough = sorted((_rough_fit(cover, shape) for shape in SHAPES), key=lambda fit: fit[-1])
    return min((_close_fit(cover, fit) for fit in rough[:3]), key=lambda fit: fit[-1])


def _rough_fit(cover: np.ndarray, shape: str) -> Fit:
    """Radius and place of a shape by the area and centroid of the cover."""
    area = float(cover.sum())
    rows, columns = (np.arange(n) + 0.5 for n in cover.shape)
    x = float((cover.sum(0) * columns).sum() / area)
    y = float((cover.sum(1) * rows).sum() / area)
    unit, below = _moments(shape)
    radius = (area / unit) ** 0.5
    place = (radius, x, y - below * radius)
    return shape, *place, _misfit(cover, shape, *place)


def _close_fit(cover: np.ndarray, rough: Fit) -> Fit:
    """A little larger or smaller, a little beside."""
    shape, radius, x, y, _ = rough
    tries = [
        (radius * factor, x + dx, y + dy)
        for factor in (0.95, 1.0, 1.05)
        for dx, dy in ((0, 0), (0.3, 0), (-0.3, 0), (0, 0.3), (0, -0.3))
    ]
    return min(((shape, *t, _misfit(cover, shape, *t)) for t in tries), key=lambda fit: fit[-1])


def _misfit(cover: np.ndarray, shape: str, radius: float, x: float, y: float) -> float:
    made = np.zeros_like(cover)
    stamped, window = stamp(len(cover), shape, radius, max(0.0, x), max(0.0, y))
    made[window] = stamped
    return float(np.abs(made - cover).sum() / max(1.0, cover.sum()))


def _nearest_colour(rgb: np.ndarray) -> str:
    return min(COLOURS, key=lambda name: float(((np.array(COLOURS[name]) - rgb) ** 2).sum()))


def _size(radius: float) -> str:
    return "small" if radius < SIZE_BOUNDS[0] else "medium" if radius < SIZE_BOUNDS[1] else "large"


def judge(caption: str | Wanted, picture: np.ndarray) -> Verdict:
    """Which parts of a caption a picture uint8 [H, W, 3] obeys. Raises NotACaption for a text outside the grammar."""
    wanted = parse_caption(caption) if isinstance(caption, str) else caption
    reading = read_picture(picture)
    verdicts = [_verdict(wanted, reading, chosen) for chosen in _assignments(wanted, reading)]
    return max(verdicts, key=_merit)


def _assignments(wanted: Wanted, reading: Reading) -> list[tuple[Seen | None, ...]]:
    """All ways to find the wanted things among those seen; what is missing is None."""
    missing = (None,) * max(0, len(wanted.things) - len(reading.things))
    return list(permutations((*reading.things[:5], *missing), len(wanted.things)))


def _merit(verdict: Verdict) -> tuple[int, int]:
    exact = (verdict.correct, verdict.colour_and_shape, verdict.colour, verdict.shape)
    weight = sum(2 ** (4 - i) for i, true in enumerate(exact) if true)
    return weight, sum((verdict.relation, verdict.position, verdict.size))


def _verdict(wanted: Wanted, reading: Reading, chosen: tuple[Seen | None, ...]) -> Verdict:
    pairs = list(zip(wanted.things, chosen, strict=True))
    colour = all(seen is not None and seen.colour == thing.colour for thing, seen in pairs)
    shape = all(seen is not None and seen.shape == thing.shape for thing, seen in pairs)
    sizes = all(
        thing.size is None or (seen is not None and seen.size == thing.size)
        for thing, seen in pairs
    )
    return Verdict(
        count=len(reading.things) == len(wanted.things),
        colour=colour,
        shape=shape,
        colour_and_shape=colour and shape,
        relation=wanted.relation is None or _related(wanted.relation, chosen),
        position=wanted.position is None or _placed(wanted.position, chosen[0]),
        size=sizes,
        background=wanted.background in (None, reading.background),
    )


def _related(relation: str, chosen: tuple[Seen | None, ...]) -> bool:
    first, second = chosen[0], chosen[1]
    if first is None or second is None:
        return False
    right, down = second.x - first.x, second.y - first.y
    distance = {"to the left of": right, "to the right of": -right, "above": down, "below": -down}
    return distance[relation] > APART


def _placed(position: str, seen: Seen | None) -> bool:
    if seen is None:
        return False
    right, down = seen.x - CANVAS / 2, seen.y - CANVAS / 2
    if max(abs(right), abs(down)) < CENTRAL:
        return position == "center"
    if abs(right) > abs(down):
        return position == ("right" if right > 0 else "left")
    return position == ("bottom" if down > 0 else "top")
