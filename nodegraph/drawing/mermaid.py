"""A graph in Mermaid's language, as pages of Markdown show it: a box for each node, the inputs written on the wires."""

from collections.abc import Iterator, Mapping

from nodegraph.drawing.boxes import cut
from nodegraph.drawing.diagram import Box, Diagram, WirePath
from nodegraph.drawing.paint import paint_of
from nodegraph.library.registry import PortFacts

_MEANING = frozenset('"#&<>`|{}[]()\\;%')
"""Characters that mean something in a label."""


def mermaid(diagram: Diagram, ports: Mapping[str, PortFacts]) -> str:
    """The graph as a flowchart."""
    ids = {key: f"b{number}" for number, key in enumerate(diagram.boxes)}
    lines = [f"---\ntitle: {_title(diagram.title)}\n---", "flowchart LR"]
    framed = {name for names in diagram.frames.values() for name in names}
    lines += [_box(ids[key], box) for key, box in diagram.boxes.items() if key not in framed]
    lines += _frames(diagram, ids)
    for number, wire in enumerate(diagram.wires):
        lines.append(f"  {ids[wire.source]} -->{_label(diagram, wire)} {ids[wire.target]}")
        paint = paint_of(wire.kind, ports)
        look = f"stroke:{paint.colour},stroke-width:{4 if paint.many else 2}px"
        lines.append(f"  linkStyle {number} {look}")
    return "\n".join([*lines, ""])


def _frames(diagram: Diagram, ids: Mapping[str, str]) -> Iterator[str]:
    """The frames, each box in the first that has it."""
    left = set(diagram.boxes)
    for number, (title, names) in enumerate(diagram.frames.items()):
        yield f'  subgraph f{number}["{_written(title)}"]'
        for name in dict.fromkeys(n for n in names if n in left):
            yield f"  {_box(ids[name], diagram.boxes[name])}"
        left -= set(names)
        yield "  end"


def _box(name: str, box: Box) -> str:
    """A node as a box, an input or an output as a stadium."""
    label = "<br/>".join(_written(cut(text)) for text in (box.name, box.kind) if text)
    begin, end = ("[", "]") if box.role == "node" else ("([", "])")
    return f'  {name}{begin}"{label}"{end}'


def _label(diagram: Diagram, wire: WirePath) -> str:
    """What is written on a wire: the output, where it has a name, and the input."""
    source = diagram.boxes[wire.source].outputs[wire.output].name
    box = diagram.boxes[wire.target]
    target = box.inputs[wire.input].name if box.role == "node" else ""
    label = " → ".join(_written(cut(text, 24)) for text in (source, target) if text)
    return f'|"{label}"|' if label else ""


def _written(text: str) -> str:
    """A text in a label: what means something there as the number of the character."""
    return "".join(f"#{ord(c)};" if c in _MEANING else c for c in text)


def _title(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
