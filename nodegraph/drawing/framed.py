"""Places for boxes of which some stand in frames: each frame is arranged by itself, and stands as one box among the others."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from nodegraph.drawing.layered import Arrangement, Link, Point, Size, arranged

PAD, HEAD = 16.0, 34.0
"""Between a frame and what stands in it: at its sides, and above."""


@dataclass(frozen=True, slots=True)
class _Frame:
    """A frame: its members, the port of the wire (box, offset) behind each of its borders' openings, and its inside."""

    members: frozenset[str]
    openings: Mapping[tuple[str, float, bool], str]
    inside: Arrangement
    size: Size

    def height(self, link: Link, enters: bool) -> float:
        """How far below the frame's upper edge a link passes its border."""
        return HEAD + self.inside.places[self.openings[link.source, link.leaves, enters]][1]


def arranged_with_frames(
    sizes: Mapping[str, Size],
    links: Sequence[Link],
    first: Collection[str],
    last: Collection[str],
    frames: Sequence[Collection[str]],
) -> Arrangement:
    """As `arranged`. A frame keeps together what stands in it, unless wires go out of it and in again, or another has it."""
    groups = _groups(sizes, links, frames)
    if not groups:
        return arranged(sizes, links, first, last)
    home = {name: f"frame {n}" for n, group in enumerate(groups) for name in group}
    framed = {f"frame {n}": _framed(group, sizes, links) for n, group in enumerate(groups)}
    outside = {home.get(name, name): size for name, size in sizes.items()}
    outside |= {name: frame.size for name, frame in framed.items()}
    between = [n for n, link in enumerate(links) if not _within(link, home)]
    outer = arranged(
        outside,
        [_outer(links[n], home, framed) for n in between],
        [name for name in first if name not in home],
        [name for name in last if name not in home],
    )
    return _put_together(sizes, links, home, framed, outer, between)


def _within(link: Link, home: Mapping[str, str]) -> bool:
    return link.source in home and home[link.source] == home.get(link.target)


def _groups(
    sizes: Mapping[str, Size], links: Sequence[Link], frames: Sequence[Collection[str]]
) -> list[frozenset[str]]:
    """The frames that can stand as one box each."""
    pairs = {(link.source, link.target) for link in links}
    groups: list[frozenset[str]] = []
    for number, frame in enumerate(frames):
        members = frozenset(frame) & sizes.keys()
        if not members or any(members & group for group in groups):
            continue
        if not _leads_back(members, pairs):
            groups.append(members)
            name = f"frame {number}"
            inside = dict.fromkeys(members, name)
            pairs = {(inside.get(a, a), inside.get(b, b)) for a, b in pairs} - {(name, name)}
    return groups


def _leads_back(members: frozenset[str], pairs: Collection[tuple[str, str]]) -> bool:
    """Whether a way leads out of a frame and into it again."""
    behind: dict[str, list[str]] = {}
    for a, b in pairs:
        behind.setdefault(a, []).append(b)
    waiting = [b for a in members for b in behind.get(a, ()) if b not in members]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in members:
            return True
        if name not in seen:
            seen.add(name)
            waiting.extend(behind.get(name, ()))
    return False


def _framed(members: frozenset[str], sizes: Mapping[str, Size], links: Sequence[Link]) -> _Frame:
    """A frame arranged by itself, with an opening in its border for each port whose wires pass that."""
    openings: dict[tuple[str, float, bool], str] = {}
    inner: list[Link] = []
    for link in links:
        enters, leaves = link.target in members, link.source in members
        if not (enters or leaves):
            continue
        if not (enters and leaves):
            key = link.source, link.leaves, enters
            name = openings.setdefault(key, f"opening {len(openings)}")
            opened = replace(link, source=name, leaves=0.0) if enters else link
            link = opened if enters else replace(link, target=name, enters=0.0)
        inner.append(link)
    boxes = {name: size for name, size in sizes.items() if name in members}
    everything = {**boxes, **dict.fromkeys(openings.values(), (0.0, 0.0))}
    first = [name for (_, _, enters), name in openings.items() if enters]
    last = [name for (_, _, enters), name in openings.items() if not enters]
    inside = arranged(everything, inner, first, last)
    width = max(inside.places[name][0] + size[0] for name, size in everything.items())
    height = max(inside.places[name][1] + size[1] for name, size in everything.items())
    return _Frame(members, openings, inside, (width + 2 * PAD, height + HEAD + PAD))


def _outer(link: Link, home: Mapping[str, str], framed: Mapping[str, _Frame]) -> Link:
    """A link as it is seen from outside of the frames."""
    source, target = home.get(link.source, link.source), home.get(link.target, link.target)
    leaves = framed[source].height(link, enters=False) if source in framed else link.leaves
    enters = framed[target].height(link, enters=True) if target in framed else link.enters
    return Link(source, target, leaves, enters)


def _put_together(
    sizes: Mapping[str, Size],
    links: Sequence[Link],
    home: Mapping[str, str],
    framed: Mapping[str, _Frame],
    outer: Arrangement,
    between: Sequence[int],
) -> Arrangement:
    """The places and routes in the frames, and between them."""
    corners = {name: outer.places[name] for name in framed}
    places: dict[str, Point] = {}
    for name in sizes:
        frame = home.get(name)
        at = outer.places[name] if frame is None else framed[frame].inside.places[name]
        places[name] = at if frame is None else _moved(at, corners[frame])
    routes: list[list[Point]] = [[] for _ in links]
    inner = {name: iter(frame.inside.routes) for name, frame in framed.items()}
    outwards = dict(zip(between, outer.routes, strict=True))
    for number, link in enumerate(links):
        source, target = home.get(link.source), home.get(link.target)
        if source is not None:
            routes[number] += [_moved(p, corners[source]) for p in next(inner[source])]
        routes[number] += outwards.get(number, ())
        if target is not None and target != source:
            routes[number] += [_moved(p, corners[target]) for p in next(inner[target])]
    return Arrangement(places, tuple(map(tuple, routes)))


def _moved(point: Point, corner: Point) -> Point:
    return point[0] + corner[0] + PAD, point[1] + corner[1] + HEAD
