"""What of a graph is drawn: boxes with ports, and wires, each with its type. Nothing of places, sizes or colours."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from nodegraph.base.visible import visible_line
from nodegraph.language.graph import Graph, GraphInput, GraphNode, Listing, Ref, Value
from nodegraph.language.order import in_order
from nodegraph.language.references import references
from nodegraph.language.scope import plain
from nodegraph.library.node import NodeSpec, Port
from nodegraph.library.port import TypeRef
from nodegraph.library.typerefs import UNKNOWN, fits, resolved

FAR = 1e5
"""No place is so far away that a picture cannot show it."""
SpecOf = Callable[[GraphNode], NodeSpec | None]
"""Gives the ports of a node, or None where its type is not known."""


@dataclass(frozen=True, slots=True)
class Plug:
    """A port as it is drawn: its name, what is written on it, and its type; `wired` ones have a wire."""

    name: str
    kind: TypeRef = UNKNOWN
    value: str = ""
    wired: bool = False


@dataclass(frozen=True, slots=True)
class Box:
    """An input, a node or an output of a graph; `kind` is its type as it is written."""

    key: str
    name: str
    role: str
    kind: str
    inputs: tuple[Plug, ...] = ()
    outputs: tuple[Plug, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class WirePath:
    """A wire from an output to an input: the keys of the boxes, and the numbers of their plugs."""

    source: str
    output: int
    target: str
    input: int
    kind: TypeRef


@dataclass(frozen=True, slots=True)
class Diagram:
    """A graph as it is drawn, with the places and frames that its text gives."""

    title: str
    boxes: Mapping[str, Box]
    wires: tuple[WirePath, ...]
    places: Mapping[str, tuple[float, float]] = field(
        default_factory=dict[str, tuple[float, float]]
    )
    frames: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])


def diagram_of(graph: Graph, spec_of: SpecOf) -> Diagram:
    """The diagram of a graph as it is written; of a faulty one what can be understood."""
    specs = {name: spec_of(node) for name, node in graph.nodes.items()}
    used = _used(graph)
    boxes = {name: _input(given, used) for name, given in graph.inputs.items()}
    boxes |= {
        name: _node(node, specs[name], graph, used.get(name, {}))
        for name, node in graph.nodes.items()
    }
    for name, value in graph.outputs.items():
        plug = Plug(name, UNKNOWN, "" if _known(value, graph) else _shown(value), True)
        key = output_key(name)
        boxes[key] = Box(key, visible_line(name), "output", "", (plug,))
    _resolve(graph, boxes)
    wires = tuple(_wires(graph, boxes))
    _tell(boxes, wires)
    named = {name: name if name in boxes else output_key(name) for name in graph.layout}
    places = {
        named[name]: at for name, at in graph.layout.items() if all(abs(x) <= FAR for x in at)
    }
    frames = {visible_line(title): names for title, names in graph.frames.items()}
    title = visible_line(graph.title or graph.file)
    return Diagram(title, boxes, wires, places, frames)


def output_key(name: str) -> str:
    """The key of the box of an output, which may be named like a node."""
    return f"out:{name}"


def _used(graph: Graph) -> dict[str, dict[str, None]]:
    """The outputs of each node, or the parts of each input, that something refers to; empty for the first."""
    values = [v for node in graph.nodes.values() for _, v in _values(node)]
    found: dict[str, dict[str, None]] = {}
    for ref in (ref for value in (*values, *graph.outputs.values()) for ref in _refs(value)):
        found.setdefault(ref.name, {})[ref.port or ""] = None
    return found


def _values(node: GraphNode) -> Iterator[tuple[str, Value]]:
    """What stands on the inputs of a node, with that of `each`, and an input that says its type."""
    if node.type.startswith("$"):
        yield "type", Ref(node.type[1:], None, node.type_span)
    yield from node.inputs.items()
    for axis in node.each or ():
        yield f"each {'+'.join(axis.names)}", axis.values


def _refs(value: Value) -> Iterator[Ref]:
    waiting = [value]
    while waiting:
        found = waiting.pop(0)
        if isinstance(found, Ref):
            yield found
        elif isinstance(found, Listing):
            waiting[:0] = found.items


def _known(value: Value, graph: Graph) -> bool:
    """Whether a value is wires, to things that are there."""
    refs = list(_refs(value))
    return bool(refs) and all(ref.name in graph.inputs or ref.name in graph.nodes for ref in refs)


def _input(given: GraphInput, used: Mapping[str, Mapping[str, None]]) -> Box:
    kind = TypeRef(given.type)
    value = "" if given.default is None else _shown(given.default)
    parts = [name for name in used.get(given.name, {}) if name]
    whole = "" in used.get(given.name, {}) or not parts
    plugs = [Plug("", kind, value, given.name in used)] if whole else []
    plugs += [Plug(visible_line(part), UNKNOWN, "", True) for part in parts]
    about = visible_line(f"{given.type} = {value}" if value else given.type)
    name, note = visible_line(given.name), visible_line(given.help)
    return Box(given.name, name, "input", about, (), tuple(plugs), note)


def _node(node: GraphNode, spec: NodeSpec | None, graph: Graph, used: Mapping[str, None]) -> Box:
    kinds = {port.name: port.type for port in spec.inputs} if spec else {}
    plugs: list[Plug] = []
    for name, value in _values(node):
        wired = _known(value, graph)
        kind = kinds.get(name.removeprefix("each "), UNKNOWN)
        plugs.append(Plug(visible_line(name), kind, "" if wired else _shown(value), wired))
    outs = [
        _output(port, node, used, n == 0) for n, port in enumerate(spec.outputs if spec else ())
    ]
    there = {plug.name for plug in outs}
    outs += [
        Plug(name, UNKNOWN, "", True) for name in used if name not in there and (name or not outs)
    ]
    kind, note = visible_line(node.type), visible_line(node.note)
    return Box(node.name, visible_line(node.name), "node", kind, tuple(plugs), tuple(outs), note)


def _output(port: Port, node: GraphNode, used: Mapping[str, None], first: bool) -> Plug:
    kind = TypeRef("list", (port.type,)) if node.each else port.type
    name = "" if port.name == "output" else port.name
    return Plug(name, kind, "", port.name in used or (first and "" in used))


def _wires(graph: Graph, boxes: Mapping[str, Box]) -> Iterator[WirePath]:
    ends = ((name, _values(node)) for name, node in graph.nodes.items())
    for name, values in ends:
        for number, (_, value) in enumerate(values):
            yield from _wires_to(boxes[name], number, value, boxes)
    for name, value in graph.outputs.items():
        yield from _wires_to(boxes[output_key(name)], 0, value, boxes)


def _resolve(graph: Graph, boxes: dict[str, Box]) -> None:
    """Put for the variables in the types of outputs what comes in for them."""
    waits = {n: references(node) & graph.nodes.keys() for n, node in graph.nodes.items()}
    for name in in_order(waits):
        box, bound = boxes[name], dict[str, TypeRef]()
        for number, (_, value) in enumerate(_values(graph.nodes[name])):
            for wire in _wires_to(box, number, value, boxes):
                source = boxes[wire.source].outputs[wire.output].kind
                fits(source, box.inputs[number].kind, bound, ())
        outputs = tuple(replace(plug, kind=resolved(plug.kind, bound)) for plug in box.outputs)
        boxes[name] = replace(box, outputs=outputs)


def _tell(boxes: dict[str, Box], wires: Sequence[WirePath]) -> None:
    """Give the ports whose type nothing says that of their first wire."""
    for wire in reversed(wires):
        source, target = boxes[wire.source], boxes[wire.target]
        outputs = _with_kind(source.outputs, wire.output, wire.kind)
        boxes[wire.source] = replace(source, outputs=outputs)
        inputs = _with_kind(target.inputs, wire.input, wire.kind)
        kind = visible_line(str(wire.kind)) if target.role == "output" else target.kind
        boxes[wire.target] = replace(target, inputs=inputs, kind=kind)


def _with_kind(plugs: tuple[Plug, ...], at: int, kind: TypeRef) -> tuple[Plug, ...]:
    vague = carried(plugs[at].kind, kind) == kind
    return (*plugs[:at], replace(plugs[at], kind=kind), *plugs[at + 1 :]) if vague else plugs


def _wires_to(box: Box, number: int, value: Value, boxes: Mapping[str, Box]) -> Iterator[WirePath]:
    for ref in _refs(value):
        if ref.name in boxes:
            source = boxes[ref.name]
            output = _output_of(source, ref.port or "")
            kind = carried(source.outputs[output].kind, box.inputs[number].kind)
            yield WirePath(ref.name, output, box.key, number, kind)


def _output_of(box: Box, port: str) -> int:
    """The number of the output that a reference means; the first where it names none, or `output`."""
    return next((n for n, plug in enumerate(box.outputs) if plug.name == port and port), 0)


def carried(source: TypeRef, target: TypeRef) -> TypeRef:
    """The type of a wire: what comes out, or where that says nothing what is expected."""
    vague = source.variable or source.name in ("*", "?", "|")
    found = target if vague and target != UNKNOWN else source
    return first_of(found)


def first_of(kind: TypeRef) -> TypeRef:
    """A type, or the first of several."""
    return first_of(kind.args[0]) if kind.name == "|" and kind.args else kind


def _shown(value: Value) -> str:
    """A value in a line, as a graph file says it."""
    if isinstance(value, Ref):
        return f"${value.name}" + (f".{value.port}" if value.port else "")
    if isinstance(value, Listing):
        return f"[{', '.join(map(_shown, value.items))}]"
    found = plain(value)
    return visible_line(
        json.dumps(found, ensure_ascii=False) if isinstance(found, str) else _plain(found)
    )


def _plain(value: object) -> str:
    return (
        "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    )
