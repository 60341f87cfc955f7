"""`each` and `switch`: a node that stands for many, and a choice between wires, both made before the graph is checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, cast

from nodegraph.base.codes import Code
from nodegraph.base.diagnostics import Span
from nodegraph.language.graph import EachAxis, GraphNode, Literal, Ref, Value
from nodegraph.language.program import EXAMPLE, Constant, Many, Source, Wire
from nodegraph.language.references import Found, References
from nodegraph.language.rows import LIST, BadRow, paired, rows_of
from nodegraph.language.scope import ABSENT, FAILED, Bound, Faults, Scope
from nodegraph.library.node import NodeSpec, Port
from nodegraph.library.port import TypeRef
from nodegraph.library.typerefs import UNKNOWN, fits

SWITCH = "switch"
"""The type of a node that is the one of its inputs that `on` names."""
GATHER = NodeSpec(
    "gather",
    "nodegraph.library.gathering:gathered",
    (Port("items", TypeRef("list", (UNKNOWN,)), fan_in=True),),
    (Port("output", TypeRef("list", (UNKNOWN,))),),
)
"""What makes one list of the outputs of nodes that stood as one."""
_KINDS: Mapping[type, str] = {bool: "bool", int: "int", float: "float", str: "str"}
Row = tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Unfolding:
    """Unfolds nodes with `each`, and resolves switches."""

    faults: Faults
    references: References
    widenings: frozenset[tuple[str, str]]

    def cells(self, node: GraphNode, scope: Scope) -> list[tuple[GraphNode, Scope]] | None:
        """The nodes that a node with axes stands for, the first axis slowest, each with the names in its reach.

        None, and a fault, where the values are not known, or are none.
        """
        hidden: dict[str, Bound] = {}
        axes = [self._rows(node, axis, scope, hidden) for axis in node.each or ()]
        rows = [found for found in axes if found is not None]
        if len(rows) < len(axes):
            return None
        inner = {**scope, **hidden}
        names = [name for axis in node.each or () for name in axis.names]
        places = {name: axis.span for axis in node.each or () for name in axis.names}
        keys = {**node.keys, **places}
        return [
            (self._one(node, dict(zip(names, sum(row, ()), strict=True)), keys), inner)
            for row in product(*rows)
        ]

    def _one(
        self, node: GraphNode, values: Mapping[str, Value], keys: Mapping[str, Span]
    ) -> GraphNode:
        return replace(node, inputs={**node.inputs, **values}, keys=keys, each=())

    def _rows(
        self, node: GraphNode, axis: EachAxis, scope: Scope, hidden: dict[str, Bound]
    ) -> list[Row] | None:
        there = next((name for name in axis.names if name in node.inputs), None)
        if there is not None:
            message = f"'{there}' of '{node.name}' has a value beside those of each"
            place, hint = node.keys[there], "take one away"
            self.faults.add(Code.WRONG_STRUCTURE, message, place, hint, node.name)
            return None
        try:
            if not isinstance(axis.values, Ref):
                return rows_of(axis)
            items = self._wired(node, axis.values, scope, hidden)
            return None if items is None else paired(axis, items)
        except BadRow as bad:
            self.faults.add(Code.WRONG_STRUCTURE, str(bad), bad.span, bad.hint, node.name)
            return None

    def _wired(
        self, node: GraphNode, ref: Ref, scope: Scope, hidden: dict[str, Bound]
    ) -> list[Value] | None:
        """What an axis refers to, each under a name of its own; None, and a fault, where that is not known."""
        entries = self._known(node, ref, scope)
        if entries is None:
            return None
        items: list[Value] = []
        for number, (source, kind) in enumerate(entries):
            name = f"{ref.name}.{ref.port or ''} {number} of each"  # which no graph can have
            hidden[name] = Bound({"": (source, kind)})
            items.append(Ref(name, None, ref.span))
        return items

    def _known(
        self, node: GraphNode, ref: Ref, scope: Scope
    ) -> list[tuple[Source, TypeRef]] | None:
        """What an axis that refers to something goes over."""
        found = self.references.find(ref, scope, node.name)
        if found is None or found[1] == UNKNOWN:
            return None  # told already
        source, kind = found
        item = kind.args[0] if kind.name == "list" else kind
        if isinstance(source, Constant) and source.value is EXAMPLE:
            return [(replace(source, type=item), item)]
        if isinstance(source, Constant) and kind.name == "list":
            values = cast("list[Any]", source.value)
            return [(replace(source, value=value, type=item), item) for value in values]
        if isinstance(source, Many):
            return [(entry, item) for entry in source.entries]
        shown = f"${ref.name}" + (f".{ref.port}" if ref.port else "")
        if isinstance(source, Wire) and kind.name == "list":
            message = f"how many values {shown} has is known only while the graph runs"
            hint = "write the values here, or give them as an input of the graph"
            self.faults.add(Code.UNKNOWN_CHOICE, message, ref.span, hint, node.name)
        else:
            message = f"each goes over many values, and {shown} is one {kind}"
            self.faults.add(Code.TYPE_MISMATCH, message, ref.span, LIST, node.name)
        return None

    def switched(self, node: GraphNode, scope: Scope) -> Bound:
        """The input that `on` names, as the output of the node. The others are looked at too: their types must agree."""
        ways = {name: value for name, value in node.inputs.items() if name != "on"}
        chosen = self._choice(node, scope, tuple(ways))
        found = {name: self.way(node, value, scope) for name, value in ways.items()}
        if chosen is None:
            return FAILED
        taken = found[chosen]
        if taken is None:
            return ABSENT
        for name, other in found.items():
            if other is not None and not self._alike(taken[1], other[1]):
                message = f"'{node.name}' is {taken[1]} or {other[1]}, by what is chosen"
                hint = f"give '{name}' and '{chosen}' values of one type"
                self.faults.add(Code.TYPE_MISMATCH, message, node.keys[name], hint, node.name)
        return Bound({"output": taken})

    def way(self, node: GraphNode, value: Value, scope: Scope) -> Found | None:
        """What one of the ways of a switch stands for."""
        if isinstance(value, Ref):
            return self.references.find(value, scope, node.name)
        if isinstance(value, Literal) and value.value is not None:
            kind = TypeRef(_KINDS[type(value.value)])
            return Constant(value.value, kind, value.span), kind
        message = "a switch chooses between wires, numbers and texts"
        self.faults.add(Code.WRONG_STRUCTURE, message, value.span, None, node.name)
        return None

    def _alike(self, one: TypeRef, other: TypeRef) -> bool:
        wide = self.widenings
        return UNKNOWN in (one, other) or fits(one, other, {}, wide) or fits(other, one, {}, wide)

    def _choice(self, node: GraphNode, scope: Scope, ways: tuple[str, ...]) -> str | None:
        """The name of the way that is taken; None, and a fault, where it is not known."""
        on = node.inputs.get("on")
        if on is None or not ways:
            message = f"'{node.name}' (switch) needs 'on', and the inputs that it names"
            hint = "write: {type: switch, on: $choice, one: $a, other: $b}"
            self.faults.add(Code.MISSING_INPUT, message, node.span, hint, node.name)
            return None
        found = self.way(node, on, scope)
        if found is None or (found[1] == UNKNOWN and not isinstance(found[0], Constant)):
            return None
        source = found[0]
        if not isinstance(source, Constant):
            message = "which way is taken is known only while the graph runs"
            hint = "let an input of the graph say it"
            self.faults.add(Code.UNKNOWN_CHOICE, message, on.span, hint, node.name)
            return None
        return self.named(node, source, on.span, ways)

    def named(
        self, node: GraphNode, source: Constant, span: Span, ways: tuple[str, ...]
    ) -> str | None:
        """The way that a value names, true and false by these words; any, where the value is not given yet."""
        if source.value is EXAMPLE:
            return ways[0]
        if source.type == UNKNOWN:
            return None  # told already
        value: Any = source.value
        name = str(value).lower() if isinstance(value, bool) else str(value)
        if name in ways:
            return name
        near = self.faults.hints.nearest(name, ways) or f"there are: {', '.join(ways)}"
        given = f"{source.given}: " if source.given else ""
        message = f"{given}'{node.name}' has no way '{name}'"
        self.faults.add(Code.NOT_IN_MENU, message, source.span or span, near, node.name)
        return None


def gathered(bounds: Sequence[Bound]) -> Bound:
    """The outputs of the nodes that one stood for, as lists."""
    if any(bound.failed for bound in bounds):
        return FAILED
    there = [bound for bound in bounds if bound.outputs]
    if not there:
        return ABSENT
    return Bound({port: _listed(port, there) for port in there[0].outputs})


def _listed(port: str, bounds: Sequence[Bound]) -> tuple[Source, TypeRef]:
    entries: list[Constant | Wire] = []
    kinds: dict[TypeRef, None] = {}
    for source, kind in (bound.outputs[port] for bound in bounds if port in bound.outputs):
        entries += source.entries if isinstance(source, Many) else [source]
        kinds[kind.args[0] if kind.name == "list" and kind.args else kind] = None
    kind = next(iter(kinds)) if len(kinds) == 1 else UNKNOWN
    return Many(tuple(entries)), TypeRef("list", (kind,))
