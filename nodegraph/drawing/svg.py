"""A graph as SVG: one text, without scripts, fonts or anything from elsewhere; light and dark as the reader has it."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from nodegraph.drawing.boxes import COLUMN, EDGE, SIZE, Drawing, Sized, columns, cut, drawing_of
from nodegraph.drawing.diagram import Diagram, Plug
from nodegraph.drawing.layered import Point
from nodegraph.drawing.paint import Paint, paint_of
from nodegraph.library.port import Shape
from nodegraph.library.registry import PortFacts

HEAD, FOOT = 40.0, 24.0
"""Above the graph, for its title, and for each line of the legend below."""
STYLE = """
.nodegraph{background:#fff;border-radius:8px;font:12px ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace}
.nodegraph text{fill:#1f2328;stroke:none;white-space:pre}
.nodegraph .back{fill:#fff}
.nodegraph .box{fill:#f6f8fa;stroke:#8b949e}
.nodegraph .end{fill:#eaeef2;stroke:#8b949e}
.nodegraph .frame{fill:#8b949e;fill-opacity:.1;stroke:#8b949e;stroke-dasharray:5 4}
.nodegraph .name,.nodegraph .title{font-weight:bold}
.nodegraph .title{font-size:14px}
.nodegraph .kind,.nodegraph .note{fill:#57606a}
.nodegraph .note{font-style:italic}
.nodegraph path{fill:none}
.nodegraph .under{stroke:#57606a;stroke-opacity:.75}
.nodegraph .port{stroke:#424a53}
@media(prefers-color-scheme:dark){
.nodegraph,.nodegraph .back{background:#0d1117;fill:#0d1117}
.nodegraph text{fill:#e6edf3}
.nodegraph .box{fill:#161b22;stroke:#6e7681}
.nodegraph .end{fill:#21262d;stroke:#6e7681}
.nodegraph .kind,.nodegraph .note{fill:#9da7b3}
.nodegraph .under{stroke:#010409}
.nodegraph .port{stroke:#0d1117}
}
"""


def svg(diagram: Diagram, ports: Mapping[str, PortFacts]) -> str:
    """The picture of a graph. Port types have the colours and signs that their libraries give them."""
    drawing = drawing_of(diagram)
    title = cut(diagram.title, 90)
    width = max(drawing.width, columns(title) * COLUMN * 14 / SIZE + 2 * EDGE, 320)
    legend = list(_legend(drawing, ports, width))
    rows = max((row for row, _, _ in legend), default=-1) + 1
    height = HEAD + drawing.height + FOOT * rows
    parts = [
        *_frames(drawing),
        *(
            part
            for wire, route in drawing.wires
            for part in _wire(route, paint_of(wire.kind, ports))
        ),
        *(part for box, at in drawing.boxes for part in _box(box, at, ports)),
    ]
    below = (
        f'<g transform="translate({_n(x)} {_n(HEAD + drawing.height + FOOT * row)})">'
        f"{_sign(paint, 0, 0)}{_text(cut(paint.name), 12, 4, 'kind')}</g>"
        for row, x, paint in legend
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="nodegraph" role="img" width="{_n(width)}" '
            f'height="{_n(height)}" viewBox="0 0 {_n(width)} {_n(height)}">',
            f"<title>{escape(title)}</title><style>{STYLE}</style>",
            f'<rect class="back" width="{_n(width)}" height="{_n(height)}" rx="8"/>',
            _text(title, 20, 26, "title"),
            f'<g transform="translate(0 {_n(HEAD)})">',
            *parts,
            "</g>",
            *below,
            "</svg>\n",
        ]
    )


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _text(text: str, x: float, y: float, role: str, right: bool = False) -> str:
    """A line of text; letters whose widths are not known are fitted into the columns that are kept for them."""
    end = ' text-anchor="end"' if right else ""
    fit = "" if text.isascii() else f' textLength="{_n(columns(text) * COLUMN * 0.97)}"'
    fit += ' lengthAdjust="spacingAndGlyphs"' if fit else ""
    return f'<text class="{role}" x="{_n(x)}" y="{_n(y)}"{end}{fit}>{escape(text)}</text>'


def _frames(drawing: Drawing) -> Iterator[str]:
    for title, x, y, width, height in drawing.frames:
        size = f'width="{_n(width)}" height="{_n(height)}"'
        yield f'<rect class="frame" x="{_n(x)}" y="{_n(y)}" {size} rx="10"/>'
        yield _text(title, x + EDGE, y + 19, "kind")


def _wire(route: Sequence[Point], paint: Paint) -> Iterator[str]:
    """A wire over a darker one, so that pale colours can be seen on white."""
    thick = 3.5 if paint.many else 2.0
    path = _path(route)
    yield f'<path class="under" stroke-width="{thick + 1.4:g}" d="{path}"/>'
    yield f'<path stroke="{paint.colour}" stroke-width="{thick:g}" d="{path}"/>'


def _path(route: Sequence[Point]) -> str:
    """Curves from layer to layer, straight within each."""
    parts = [f"M{_n(route[0][0])} {_n(route[0][1])}"]
    for at in range(1, len(route)):
        (x, y), (end, level) = route[at - 1], route[at]
        if at % 2 == 0:
            parts.append(f"H{_n(end)}")
            continue
        bend = max(abs(end - x) / 2, 24.0) if end > x else 60.0
        parts.append(f"C{_n(x + bend)} {_n(y)} {_n(end - bend)} {_n(level)} {_n(end)} {_n(level)}")
    return "".join(parts)


def _box(sized: Sized, at: Point, ports: Mapping[str, PortFacts]) -> Iterator[str]:
    box = sized.box
    size = f'width="{_n(sized.width)}" height="{_n(sized.height)}"'
    round_ = 8 if box.role == "node" else min(sized.height / 2, 18)
    role = "box" if box.role == "node" else "end"
    yield f'<g transform="translate({_n(at[0])} {_n(at[1])})">'
    yield f'<rect class="{role}" {size} rx="{_n(round_)}"/>'
    yield from (_text(line.text, line.x, line.y, line.role, line.right) for line in sized.lines)
    for plugs, heights, x in (
        (box.inputs, sized.enters, 0.0),
        (box.outputs, sized.leaves, sized.width),
    ):
        for plug, y in zip(plugs, heights, strict=True):
            yield _plug(plug, x, y, ports)
    yield "</g>"


def _plug(plug: Plug, x: float, y: float, ports: Mapping[str, PortFacts]) -> str:
    """The sign of a port; one without a wire is small."""
    return _sign(paint_of(plug.kind, ports), x, y, 1.0 if plug.wired else 0.6)


def _sign(paint: Paint, x: float, y: float, size: float = 1.0) -> str:
    return (
        f'<path class="port" style="fill:{paint.colour}" d="{_outline(paint.shape, x, y, size)}"/>'
    )


def _outline(shape: Shape, x: float, y: float, size: float) -> str:
    r = 5 * size
    if shape == "square":
        return f"M{_n(x - r)} {_n(y - r)}h{2 * r:g}v{2 * r:g}h{-2 * r:g}z"
    if shape == "diamond":
        d = 1.3 * r
        return f"M{_n(x - d)} {_n(y)}l{d:g} {-d:g}l{d:g} {d:g}l{-d:g} {d:g}z"
    if shape == "triangle":
        return f"M{_n(x - r)} {_n(y - 1.2 * r)}l{2.2 * r:g} {1.2 * r:g}l{-2.2 * r:g} {1.2 * r:g}z"
    return f"M{_n(x - r)} {_n(y)}a{r:g} {r:g} 0 1 0 {2 * r:g} 0a{r:g} {r:g} 0 1 0 {-2 * r:g} 0z"


def _legend(
    drawing: Drawing, ports: Mapping[str, PortFacts], width: float
) -> Iterator[tuple[int, float, Paint]]:
    """Which sign is which type: the row and the place of each type that a wire carries."""
    found = {p.name: p for p in (paint_of(wire.kind, ports) for wire, _ in drawing.wires)}
    row, x = 0, 24.0
    for name, paint in sorted(found.items()):
        needs = 36 + columns(cut(name)) * COLUMN
        if x + needs > width and x > 24.0:
            row, x = row + 1, 24.0
        yield row, x, paint
        x += needs
