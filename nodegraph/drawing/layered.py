"""Where boxes stand when no place is given: in layers from left to right, wires in lanes between them, few crossings.

The method of Sugiyama, Tagawa and Toda (1981): layers by the longest path, orders by barycentres, then places by least
squares under those orders. It knows boxes and their ports as sizes only, so that any surface can use it.
"""

from bisect import bisect_right, insort
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

Point = tuple[float, float]
Size = tuple[float, float]
SWEEPS = 12
MOST_LANES = 20_000
"""Lanes beyond which long wires are drawn straight."""
ROOM, LANE = 22.0, 9.0
"""Between boxes above each other, and between lanes."""


@dataclass(frozen=True, slots=True)
class Link:
    """A wire between two boxes; it leaves and enters so far below their upper edges."""

    source: str
    target: str
    leaves: float
    enters: float


@dataclass(frozen=True, slots=True)
class Arrangement:
    """The upper left corners of boxes, and for each link the points that it passes, from port to port."""

    places: Mapping[str, Point]
    routes: tuple[tuple[Point, ...], ...]


def arranged(
    sizes: Mapping[str, Size],
    links: Sequence[Link],
    first: Collection[str] = (),
    last: Collection[str] = (),
) -> Arrangement:
    """Places for boxes of some sizes (width, height); `first` stand at the left side, `last` at the right.

    Links may go in circles: those that would lead back are left out of account.
    """
    rows = layers(list(sizes), links, first, last)
    stack = _stacked(rows, {name: height for name, (_, height) in sizes.items()}, links)
    _order(stack)
    tops = _tops(stack)
    edges = _edges(rows, sizes, stack)
    places = {name: (edges[depth][0], tops[name]) for depth, row in enumerate(rows) for name in row}
    depths = {name: depth for depth, row in enumerate(rows) for name in row}
    routes = (tuple(_route(link, places, sizes, depths, stack, tops, edges)) for link in links)
    return Arrangement(places, tuple(routes))


def layers(
    names: Sequence[str], links: Sequence[Link], first: Collection[str], last: Collection[str]
) -> list[list[str]]:
    """The boxes of each layer: one behind all that lead to it, those that nothing leads to before what they lead to."""
    before: dict[str, list[str]] = {name: [] for name in names}
    behind: dict[str, list[str]] = {name: [] for name in names}
    for link in links:
        before[link.target].append(link.source)
        behind[link.source].append(link.target)
    order = _one_way(names, before, behind)
    rank = {name: at for at, name in enumerate(order)}
    depth: dict[str, int] = {}
    for name in order:
        found = (depth[other] + 1 for other in before[name] if rank[other] < rank[name])
        depth[name] = 0 if name in first else max(found, default=1 if first else 0)
    for name in reversed(order):
        later = [depth[other] for other in behind[name] if rank[other] > rank[name]]
        if later and not before[name] and name not in first:
            depth[name] = min(later) - 1
    end = max((depth[name] for name in names if name not in last), default=-1) + 1
    depth |= dict.fromkeys(last, end)
    rows: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for name in names:
        rows[depth[name]].append(name)
    return [row for row in rows if row]


def _one_way(
    names: Sequence[str], before: Mapping[str, list[str]], behind: Mapping[str, list[str]]
) -> list[str]:
    """The boxes so that links lead forwards; where they go in a circle it is cut before the first that is left."""
    waits = {name: len(before[name]) for name in names}
    ready, left = [name for name in names if not waits[name]], dict.fromkeys(names)
    order: list[str] = []
    while left:
        name = ready.pop(0) if ready else next(iter(left))
        if name not in left:
            continue
        del left[name]
        order.append(name)
        for other in behind[name]:
            waits[other] -= 1
            if not waits[other]:
                ready.append(other)
    return order


Spot = str | tuple[str, float, int]
"""A box, or the lane that a wire of a port (box, offset) has in a layer."""
Piece = tuple[Spot, float, Spot, float]
"""A piece of a wire from one layer to the next: from a spot, at an offset, to another."""


@dataclass(frozen=True, slots=True)
class _Stack:
    """What stands in each layer, from above, with heights; and the pieces of wires from each layer to the next."""

    rows: list[list[Spot]]
    heights: dict[Spot, float]
    pieces: list[list[Piece]]


def _stacked(
    rows: Sequence[Sequence[str]], heights: Mapping[str, float], links: Sequence[Link]
) -> _Stack:
    depths = {name: depth for depth, row in enumerate(rows) for name in row}
    stack = _Stack([list(row) for row in rows], {**heights}, [[] for _ in rows])
    pieces: list[dict[Piece, None]] = [{} for _ in rows]
    for link in links:
        spot: Spot = link.source
        offset, beside = link.leaves, depths[link.source] + 1
        for depth in range(beside, depths[link.target]):
            lane = (link.source, link.leaves, depth)
            if lane not in stack.heights and len(stack.heights) < MOST_LANES:
                stack.rows[depth].append(lane)
                stack.heights[lane] = 0.0
            if lane in stack.heights and beside == depth:
                pieces[depth - 1][spot, offset, lane, 0.0] = None
                spot, offset, beside = lane, 0.0, depth + 1
        if beside == depths[link.target]:
            pieces[beside - 1][spot, offset, link.target, link.enters] = None
    for kept, found in zip(stack.pieces, pieces, strict=True):
        kept.extend(found)
    return stack


def _order(stack: _Stack) -> None:
    """Order each layer by where its wires come from and lead to, to and fro; the order with the fewest crossings stays."""
    best, least = [list(row) for row in stack.rows], _crossings(stack)
    for sweep in range(SWEEPS):
        if not least:
            break
        forwards = sweep % 2 == 0
        depths = range(1, len(stack.rows)) if forwards else range(len(stack.rows) - 2, -1, -1)
        for depth in depths:
            _sort(stack, depth, forwards)
        found = _crossings(stack)
        if found < least:
            best, least = [list(row) for row in stack.rows], found
    stack.rows[:] = best


def _sort(stack: _Stack, depth: int, forwards: bool) -> None:
    """Order a layer by the mean places of what stands beside it; what has nothing there stays where it is."""
    other = _places(stack, depth - 1 if forwards else depth + 1)
    means: dict[Spot, list[float]] = {}
    for source, leaves, target, enters in stack.pieces[depth - 1 if forwards else depth]:
        here, there, offset = (target, source, leaves) if forwards else (source, target, enters)
        means.setdefault(here, []).append(other[there] + _share(stack, there, offset))
    row = stack.rows[depth]
    middle = {spot: sum(found) / len(found) for spot, found in means.items()}
    movable = iter(sorted((spot for spot in row if spot in middle), key=middle.__getitem__))
    row[:] = [next(movable) if spot in middle else spot for spot in row]


def _places(stack: _Stack, depth: int) -> dict[Spot, int]:
    return {spot: at for at, spot in enumerate(stack.rows[depth])}


def _share(stack: _Stack, spot: Spot, offset: float) -> float:
    """How far down a box a port is, less than 1."""
    return offset / (stack.heights[spot] + 1)


def _crossings(stack: _Stack) -> int:
    """How many pairs of wires cross."""
    count = 0
    for depth, pieces in enumerate(stack.pieces[:-1]):
        here, there = _places(stack, depth), _places(stack, depth + 1)
        ends = sorted(
            (here[a] + _share(stack, a, leaves), there[b] + _share(stack, b, enters))
            for a, leaves, b, enters in pieces
        )
        seen: list[float] = []
        for _, end in ends:
            count += len(seen) - bisect_right(seen, end)
            insort(seen, end)
    return count


def _tops(stack: _Stack) -> dict[Spot, float]:
    """The upper edge of each box and the height of each lane: wires as level as the order allows."""
    tops: dict[Spot, float] = {}
    for row in stack.rows:
        tops |= zip(row, _apart(stack, row, [0.0] * len(row), [1.0] * len(row)), strict=True)
    count = len(stack.rows)
    for sweep in range(3 * SWEEPS):
        forwards, ending = sweep % 2 == 0, sweep >= SWEEPS
        for depth in range(count) if forwards else reversed(range(count)):
            row = stack.rows[depth]
            pulls = _pulls(stack, depth, tops, forwards or ending, not forwards or ending)
            found = [pulls.get(spot, (tops[spot], 1.0)) for spot in row]
            aims, weights = [aim for aim, _ in found], [weight for _, weight in found]
            tops |= zip(row, _apart(stack, row, aims, weights), strict=True)
    least = min(tops.values(), default=0.0)
    return {spot: top - least for spot, top in tops.items()}


def _pulls(
    stack: _Stack, depth: int, tops: Mapping[Spot, float], left: bool, right: bool
) -> dict[Spot, tuple[float, float]]:
    """Where the wires of a layer to its neighbours would be level, in the mean, with a weight: lanes want it most."""
    pieces = [
        *((b, tops[a] + leaves - enters, a) for a, leaves, b, enters in _left(stack, depth, left)),
        *(
            (a, tops[b] + enters - leaves, b)
            for a, leaves, b, enters in _right(stack, depth, right)
        ),
    ]
    found: dict[Spot, tuple[float, float]] = {}
    for spot, level, other in pieces:
        lanes = isinstance(spot, tuple) + isinstance(other, tuple)
        aim, weight = found.get(spot, (0.0, 0.0))
        more = (1.0, 2.0, 8.0)[lanes]
        found[spot] = (aim * weight + level * more) / (weight + more), weight + more
    return found


def _left(stack: _Stack, depth: int, wanted: bool) -> list[Piece]:
    return stack.pieces[depth - 1] if wanted and depth else []


def _right(stack: _Stack, depth: int, wanted: bool) -> list[Piece]:
    return stack.pieces[depth] if wanted else []


def _apart(
    stack: _Stack, row: Sequence[Spot], aims: Sequence[float], weights: Sequence[float]
) -> list[float]:
    """The places nearest to the aims in the sense of least squares, in order, with room between them."""
    above, at = [0.0], 0.0
    for one, other in pairwise(row):
        lanes = isinstance(one, tuple) and isinstance(other, tuple)
        at += stack.heights[one] + (LANE if lanes else ROOM)
        above.append(at)
    blocks: list[tuple[float, float, int]] = []  # mean, weight, how many: pool adjacent violators
    for aim, weight, offset in zip(aims, weights, above, strict=False):
        mean, heavy, count = aim - offset, weight, 1
        while blocks and blocks[-1][0] > mean:
            other, more, several = blocks.pop()
            mean = (mean * heavy + other * more) / (heavy + more)
            heavy, count = heavy + more, count + several
        blocks.append((mean, heavy, count))
    means = [mean for mean, _, count in blocks for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, above, strict=False)]


def _edges(
    rows: Sequence[Sequence[str]], sizes: Mapping[str, Size], stack: _Stack
) -> list[tuple[float, float]]:
    """The left and right edge of each layer; the more wires, the more room before the next."""
    found: list[tuple[float, float]] = []
    left = 0.0
    for row, pieces in zip(rows, stack.pieces, strict=True):
        right = left + max(sizes[name][0] for name in row)
        found.append((left, right))
        left = right + min(44 + 5 * len(pieces), 110)
    return found


def _route(
    link: Link,
    places: Mapping[str, Point],
    sizes: Mapping[str, Size],
    depths: Mapping[str, int],
    stack: _Stack,
    tops: Mapping[Spot, float],
    edges: Sequence[tuple[float, float]],
) -> Iterator[Point]:
    """From the right edge of a box to the left edge of another, along the lanes between them."""
    left, top = places[link.source]
    yield left + sizes[link.source][0], top + link.leaves
    for depth in range(depths[link.source] + 1, depths[link.target]):
        lane = (link.source, link.leaves, depth)
        if lane in stack.heights:
            yield edges[depth][0], tops[lane]
            yield edges[depth][1], tops[lane]
    left, top = places[link.target]
    yield left, top + link.enters
