"""What a loaded graph has, for a person to look at: its inputs, nodes and outputs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nodegraph.language.graph import Graph, GraphInput, GraphNode, Listing, Ref, Value
from nodegraph.language.program import Program
from nodegraph.language.scope import plain
from nodegraph.library.port import Range


@dataclass(frozen=True, slots=True)
class Input:
    """An input; `default` and `menu` are None where there is none, and so are the bounds of `range`, which are inclusive."""

    name: str
    type: str
    default: Any = None
    range: Range = Range()
    menu: tuple[Any, ...] | None = None
    help: str = ""
    required: bool = True

    def __str__(self) -> str:
        end = "" if self.required else f" = {_short(self.default)}"
        return f"{self.name}: {self.type}{end}"


@dataclass(frozen=True, slots=True)
class Output:
    """An output; its type is `?` where faults of the graph leave it open."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Node:
    """A node; on its inputs stand references (`$name.port`) and values, as the file has them."""

    name: str
    type: str
    inputs: Mapping[str, Any]
    note: str = ""


def input_of(declared: GraphInput) -> Input:
    """An input of a graph."""
    default = None if declared.default is None else plain(declared.default)
    required = declared.default is None and not declared.optional
    bounds = Range(declared.low, declared.high)
    return Input(
        declared.name, declared.type, default, bounds, declared.menu, declared.help, required
    )


def node_of(node: GraphNode) -> Node:
    """A node of a graph."""
    inputs = {name: as_written(value) for name, value in node.inputs.items()}
    return Node(node.name, node.type, inputs, node.note)


def outputs_of(graph: Graph, program: Program | None) -> dict[str, Output]:
    """The outputs of a graph, with their types where it could be compiled."""
    if program is None:
        return {name: Output(name, "?") for name in graph.outputs}
    return {name: Output(name, str(ref)) for name, ref in program.output_types.items()}


def as_written(value: Value) -> Any:
    """A value as it stands in the file: `$name.port`, a scalar (of a text that begins with `$`, `$$…`), a list."""
    if isinstance(value, Ref):
        return f"${value.name}.{value.port}" if value.port else f"${value.name}"
    if isinstance(value, Listing):
        return [as_written(item) for item in value.items]
    scalar = value.value
    return f"${scalar}" if isinstance(scalar, str) and scalar.startswith("$") else scalar


def signature(graph: Graph) -> str:
    """The title of a graph, or the name of its file, and its inputs."""
    inputs = ", ".join(str(input_of(declared)) for declared in graph.inputs.values())
    return f"<graph '{graph.title or graph.file}' ({inputs})>"


def _short(value: Any) -> str:
    found = repr(value)
    return found if len(found) <= 40 else f"{found[:39]}…"
