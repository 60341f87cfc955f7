"""A graph in Graphviz's language: a table with ports for each node, wires in the colours of their types."""

from collections.abc import Iterator, Mapping
from html import escape
from itertools import zip_longest

from nodegraph.base.visible import visible_line
from nodegraph.drawing.boxes import cut
from nodegraph.drawing.diagram import Box, Diagram, Plug
from nodegraph.drawing.paint import paint_of
from nodegraph.library.registry import PortFacts


def dot(diagram: Diagram, ports: Mapping[str, PortFacts]) -> str:
    """The graph as text for `dot`."""
    ids = {key: f"b{number}" for number, key in enumerate(diagram.boxes)}
    lines = [
        "digraph {",
        f'  graph [rankdir=LR, label={_quoted(diagram.title)}, labelloc=t, fontname="sans-serif"]',
        '  node [shape=plain, fontname="monospace", fontsize=11]',
        *(f"  {ids[key]} [label=<{_table(box)}>]" for key, box in diagram.boxes.items()),
        *_sides(diagram, ids),
        *_frames(diagram, ids),
    ]
    for wire in diagram.wires:
        paint = paint_of(wire.kind, ports)
        look = f'color="{paint.colour}", penwidth={3 if paint.many else 2}'
        ends = f"{ids[wire.source]}:o{wire.output}:e -> {ids[wire.target]}:i{wire.input}:w"
        lines.append(f"  {ends} [{look}, tooltip={_quoted(visible_line(str(wire.kind)))}]")
    return "\n".join([*lines, "}\n"])


def _table(box: Box) -> str:
    """The label of a box: its name and type, then its ports, inputs at the left."""
    outputs = [(n, plug) for n, plug in enumerate(box.outputs) if plug.name]
    whole = len(outputs) < len(box.outputs)  # the first, beside the name
    lead = ' PORT="i0"' if box.role == "output" else ' PORT="o0"' if whole else ""
    kind = f"<BR/>{escape(cut(box.kind))}" if box.kind else ""
    rows = [f'<TR><TD COLSPAN="2"{lead}><B>{escape(cut(box.name))}</B>{kind}</TD></TR>']
    inputs = enumerate(box.inputs if box.role == "node" else ())
    for left, right in zip_longest(inputs, outputs):
        rows.append(f"<TR>{_cell(left, 'i', 'LEFT')}{_cell(right, 'o', 'RIGHT')}</TR>")
    style = "" if box.role == "node" else ' STYLE="ROUNDED"'
    return f'<TABLE BORDER="1" CELLBORDER="0" CELLSPACING="0"{style}>{"".join(rows)}</TABLE>'


def _cell(numbered: tuple[int, Plug] | None, letter: str, side: str) -> str:
    if numbered is None:
        return "<TD></TD>"
    number, plug = numbered
    label = f"{plug.name}: {plug.value}" if plug.value else plug.name
    return f'<TD PORT="{letter}{number}" ALIGN="{side}">{escape(cut(label))}</TD>'


def _sides(diagram: Diagram, ids: Mapping[str, str]) -> Iterator[str]:
    for role, rank in (("input", "source"), ("output", "sink")):
        names = [ids[key] for key, box in diagram.boxes.items() if box.role == role]
        if names and not diagram.frames:  # what stands in a frame can have no rank
            yield f"  {{rank={rank}; {'; '.join(names)}}}"


def _frames(diagram: Diagram, ids: Mapping[str, str]) -> Iterator[str]:
    for number, (title, names) in enumerate(diagram.frames.items()):
        inside = "; ".join(ids[name] for name in names if name in ids)
        yield f"  subgraph cluster_{number} {{label={_quoted(title)}; {inside}}}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
