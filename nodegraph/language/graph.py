"""A graph as it stands in its file: inputs, presets, nodes, outputs, each value with its place."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from nodegraph.base.diagnostics import Span
from nodegraph.language.scalars import Scalar

FORMAT_VERSION = 1
HEAD, CANVAS = ("graph", "title", "description"), ("layout", "frames")
TOP_KEYS = (*HEAD, "inputs", "presets", "sweeps", "nodes", "outputs", *CANVAS)
NODE_KEYS = ("type", "note", "each")
"""Keys of a node that are no ports."""
INPUT_KEYS = ("type", "default", "min", "max", "menu", "help", "optional")


@dataclass(frozen=True, slots=True)
class Ref:
    """`$name` or `$name.port`."""

    name: str
    port: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class Literal:
    """A scalar that stands in the file."""

    value: Scalar
    span: Span


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of values."""

    items: tuple["Value", ...]
    span: Span


Value = Ref | Literal | Listing


@dataclass(frozen=True, slots=True)
class GraphInput:
    """A declared input; `default` is None where none is given."""

    name: str
    type: str
    span: Span
    type_span: Span
    default: Literal | Listing | None = None
    low: float | None = None
    high: float | None = None
    menu: tuple[Scalar, ...] | None = None
    help: str = ""
    optional: bool = False


@dataclass(frozen=True, slots=True)
class EachAxis:
    """An entry of `each`: one name, or several that go together (`prompt+seed`), and the values that they take in turn."""

    names: tuple[str, ...]
    values: Value
    span: Span


@dataclass(frozen=True, slots=True)
class GraphNode:
    """One node: its type, what stands on its inputs, and its note; `keys` are the places of the port names.

    A node with axes (`each`) stands for as many nodes as those span.
    """

    name: str
    type: str
    inputs: Mapping[str, Value]
    span: Span
    type_span: Span
    keys: Mapping[str, Span]
    note: str = ""
    each: tuple[EachAxis, ...] | None = ()
    """The axes; None where there are some that cannot be read."""


@dataclass(frozen=True, slots=True)
class Graph:
    """A graph file."""

    file: str
    title: str
    inputs: Mapping[str, GraphInput]
    presets: Mapping[str, Mapping[str, Value]]
    nodes: Mapping[str, GraphNode]
    outputs: Mapping[str, Value]
    text: str
    description: str = ""
    layout: Mapping[str, tuple[float, float]] = field(
        default_factory=dict[str, tuple[float, float]]
    )
    frames: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Titles of the frames on a canvas, with the names of what stands in each."""
    sweeps: Mapping[str, tuple[EachAxis, ...]] = field(
        default_factory=dict[str, tuple[EachAxis, ...]]
    )
    """Axes over the graph's inputs, by the name of the sweep."""
