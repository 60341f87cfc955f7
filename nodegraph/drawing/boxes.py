"""How large boxes are and where their ports are, for letters of one width; and the picture put together from them."""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from nodegraph.drawing.diagram import Box, Diagram, Plug, WirePath
from nodegraph.drawing.framed import HEAD, PAD, arranged_with_frames
from nodegraph.drawing.layered import Link, Point

SIZE, ROW = 12.0, 18.0
"""The height of letters and of a row, in px."""
COLUMN = 0.62 * SIZE
"""At least the width of a letter in fonts whose letters have one."""
EDGE, TOP = 12.0, 44.0
"""Left and right of the text in a box; the height of its name and type."""
HEIGHT = 20.0
"""How far below its upper edge the port of a box is that stands beside its name."""
MOST, NOTE = 36, 3
"""Columns of a text in a box, and lines of a note."""
MARGIN = 28.0


@dataclass(frozen=True, slots=True)
class Line:
    """A text in a box: where it stands within it, and whether at the left or the right."""

    text: str
    x: float
    y: float
    role: str
    right: bool = False


@dataclass(frozen=True, slots=True)
class Sized:
    """A box with its size, the lines in it, and the heights of its ports."""

    box: Box
    width: float
    height: float
    lines: tuple[Line, ...]
    enters: tuple[float, ...]
    leaves: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture: boxes at their places, the route of each wire, frames as (title, x, y, width, height), and its size."""

    boxes: tuple[tuple[Sized, Point], ...]
    wires: tuple[tuple[WirePath, tuple[Point, ...]], ...]
    frames: tuple[tuple[str, float, float, float, float], ...]
    width: float
    height: float


def columns(text: str) -> int:
    """The columns that a text takes in letters of one width; Chinese letters and pictures take two."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def cut(text: str, most: int = MOST) -> str:
    """The beginning of a text that is longer than so many columns, with `…`."""
    if columns(text) <= most:
        return text
    kept = text[: most - 1]
    while columns(kept) > most - 1:
        kept = kept[:-1]
    return kept.rstrip() + "…"


def sized(box: Box) -> Sized:
    """A box with the size that its texts need. An output without a name is beside the box's own."""
    left = [cut(_label(plug)) for plug in box.inputs] if box.role == "node" else []
    right = [cut(plug.name) for plug in box.outputs if plug.name]
    name, kind = cut(box.name), cut(box.kind)
    pairs = (columns(a) + columns(b) + 2 for a, b in zip_longest(left, right, fillvalue=""))
    wide = max(columns(name), columns(kind), *pairs, 8)
    noted = bool(box.note) and box.role == "node"
    wide = max(wide, 24) if noted else wide
    note = list(_wrapped(box.note, wide)) if noted else []
    width = wide * COLUMN + 2 * EDGE
    below = (TOP if kind else TOP - 14) + ROW * len(note)
    rows = max(len(left), len(right))
    middle = HEIGHT if rows else below / 2
    lines = [Line(name, EDGE, 18, "name"), *([Line(kind, EDGE, 34, "kind")] if kind else [])]
    lines += [Line(text, EDGE, TOP + ROW * n + 6, "note") for n, text in enumerate(note)]
    for texts, x in ((left, EDGE), (right, width - EDGE)):
        heights = (below + ROW * n + 13 for n in range(rows))
        lines += [Line(t, x, y, "label", x > EDGE) for t, y in zip(texts, heights, strict=False)]
    inside = iter(range(rows))
    leaves = [below + ROW * next(inside) + 9 if p.name else middle for p in box.outputs]
    enters = [below + ROW * n + 9 for n in range(len(left))] or [middle] * len(box.inputs)
    height = below + ROW * rows + (6 if rows else 0)
    return Sized(box, width, height, tuple(lines), tuple(enters), tuple(leaves))


def _label(plug: Plug) -> str:
    return f"{plug.name}: {plug.value}" if plug.value else plug.name


def _wrapped(text: str, wide: int) -> Iterator[str]:
    """The first lines of a note."""
    words, line, count = text.split(), "", 0
    while words and count < NOTE:
        word = words.pop(0)
        if line and columns(f"{line} {word}") > wide:
            count += 1
            yield cut(f"{line} {word} {' '.join(words)}", wide) if count == NOTE else line
            line = ""
        line = f"{line} {word}".strip()
    if line and count < NOTE:
        yield cut(line, wide)


def drawing_of(diagram: Diagram) -> Drawing:
    """A diagram with places: those that its text gives, and in layers what has none."""
    boxes = {key: sized(box) for key, box in diagram.boxes.items()}
    links = [
        Link(w.source, w.target, boxes[w.source].leaves[w.output], boxes[w.target].enters[w.input])
        for w in diagram.wires
    ]
    sizes = {key: (box.width, box.height) for key, box in boxes.items()}
    first = [key for key, box in diagram.boxes.items() if box.role == "input"]
    last = [key for key, box in diagram.boxes.items() if box.role == "output"]
    frames = tuple(diagram.frames.values()) if not diagram.places else ()
    made = arranged_with_frames(sizes, links, first, last, frames)
    places, routes = made.places, made.routes
    if diagram.places:
        places = _kept(diagram.places, made.places, boxes, first, last)
        routes = tuple(_straight(link, places, sizes) for link in links)
    drawn = tuple(_frames(diagram.frames, places, boxes))
    return _whole(
        [(box, places[key]) for key, box in boxes.items()],
        list(zip(diagram.wires, routes, strict=True)),
        drawn,
    )


def _kept(
    given: Mapping[str, Point],
    found: Mapping[str, Point],
    boxes: Mapping[str, Sized],
    first: Sequence[str],
    last: Sequence[str],
) -> dict[str, Point]:
    """The given places; the inputs and outputs without one at the sides, all else where it is free."""
    places = {key: given[key] for key in boxes if key in given}
    left = min(places[key][0] for key in places)
    top = min(places[key][1] for key in places)
    for key, (x, y) in sorted(found.items(), key=lambda item: (item[1], item[0])):
        if key not in places and key not in first and key not in last:
            places[key] = _free(key, (left + x, top + y), places, boxes)
    right = max(x + boxes[key].width for key, (x, _) in places.items()) + 60
    wide = max((boxes[key].width for key in first), default=0) + 60
    left = min(x for x, _ in places.values())
    for side, x in ((first, left - wide), (last, right)):
        for key in sorted((key for key in side if key not in places), key=lambda k: found[k][1]):
            places[key] = _free(key, (x, top + found[key][1]), places, boxes)
    return places


def _free(key: str, at: Point, places: Mapping[str, Point], boxes: Mapping[str, Sized]) -> Point:
    """The first place at or below another where nothing stands."""
    x, y = at
    for other, (left, top) in sorted(places.items(), key=lambda item: item[1][1]):
        beside = left + boxes[other].width < x or x + boxes[key].width < left
        if not beside and top < y + boxes[key].height + 12 and y < top + boxes[other].height + 12:
            y = top + boxes[other].height + 16
    return x, y


def _straight(
    link: Link, places: Mapping[str, Point], sizes: Mapping[str, tuple[float, float]]
) -> tuple[Point, ...]:
    x, y = places[link.source]
    left, top = places[link.target]
    return (x + sizes[link.source][0], y + link.leaves), (left, top + link.enters)


def _frames(
    frames: Mapping[str, Sequence[str]], places: Mapping[str, Point], boxes: Mapping[str, Sized]
) -> Iterator[tuple[str, float, float, float, float]]:
    for title, names in frames.items():
        inside = [(places[name], boxes[name]) for name in names if name in places]
        if inside:
            left = min(x for (x, _), _ in inside) - PAD
            top = min(y for (_, y), _ in inside) - HEAD
            right = max(x + box.width for (x, _), box in inside) + PAD
            bottom = max(y + box.height for (_, y), box in inside) + PAD
            shown = cut(title, int((right - left - 2 * EDGE) / COLUMN))
            yield shown, left, top, right - left, bottom - top


def _whole(
    boxes: Sequence[tuple[Sized, Point]],
    wires: Sequence[tuple[WirePath, tuple[Point, ...]]],
    frames: Sequence[tuple[str, float, float, float, float]],
) -> Drawing:
    """The picture, moved so that it begins at its margin."""
    corners = [at for _, at in boxes] + [(x, y) for _, x, y, _, _ in frames]
    corners += [point for _, route in wires for point in route]
    left = min((x for x, _ in corners), default=0.0) - MARGIN
    top = min((y for _, y in corners), default=0.0) - MARGIN
    ends = [(x + box.width, y + box.height) for box, (x, y) in boxes]
    ends += [(x + w, y + h) for _, x, y, w, h in frames] + corners

    def moved(point: Point) -> Point:
        return point[0] - left, point[1] - top

    return Drawing(
        tuple((box, moved(at)) for box, at in boxes),
        tuple((wire, tuple(map(moved, route))) for wire, route in wires),
        tuple((title, *moved((x, y)), w, h) for title, x, y, w, h in frames),
        max((x for x, _ in ends), default=0.0) - left + MARGIN,
        max((y for _, y in ends), default=0.0) - top + MARGIN,
    )
