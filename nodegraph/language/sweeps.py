"""Reads `each` of nodes and the sweeps of a graph: names, alone or together, with the values that they take in turn."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from nodegraph.base.codes import Code
from nodegraph.language.graph import EachAxis, Literal, Value
from nodegraph.language.many import is_range, names_of, twice
from nodegraph.language.yaml import Entry, Table, Tree

_WAYS = "write a list, or a range such as 0..3"


@dataclass(frozen=True, slots=True)
class Sweeps:
    """Reads them; what is wrong goes to `fault`, and `value` reads what stands on a name."""

    fault: Callable[..., None]
    value: Callable[[Tree, str, str | None], Value | None]

    def sweeps(self, entries: Iterable[Entry]) -> dict[str, tuple[EachAxis, ...]]:
        """The axes of each sweep."""
        return {entry.key: axes for entry in entries if (axes := self.sweep(entry))}

    def sweep(self, entry: Entry) -> tuple[EachAxis, ...]:
        table = entry.value
        if not isinstance(table, Table) or [e.key for e in table.entries] != ["each"]:
            message = f"the sweep '{entry.key}' must say what is swept"
            hint = f"write: {entry.key}: {{each: {{input: [values]}}}}"
            self.fault(Code.WRONG_STRUCTURE, message, table.span, hint)
            return ()
        return self.axes(table.entries[0].value, None) or ()

    def axes(self, tree: Tree | None, node: str | None) -> tuple[EachAxis, ...] | None:
        """The axes of `each`; none where it is not there, None where one cannot be read."""
        if tree is None:
            return ()
        if not isinstance(tree, Table) or not tree.entries:
            message = "'each' must be a mapping of names to the values that they take in turn"
            self.fault(
                Code.WRONG_STRUCTURE, message, tree.span, "write: each: {name: [1, 2]}", node
            )
            return None
        axes = tuple(self.each(tree.entries, node))
        double = twice([axis.names for axis in axes])
        if double is not None:
            message = f"'each' names '{double}' twice"
            self.fault(Code.WRONG_STRUCTURE, message, tree.span, None, node)
        return axes if double is None and len(axes) == len(tree.entries) else None

    def each(self, entries: Iterable[Entry], node: str | None) -> Iterator[EachAxis]:
        for entry in entries:
            value = self.value(entry.value, f"as the values of '{entry.key}'", node)
            if isinstance(value, Literal) and not is_range(value.value):
                message = f"each '{entry.key}' goes over many values, and this is one"
                self.fault(Code.WRONG_STRUCTURE, message, value.span, _WAYS, node)
            elif value is not None:
                yield EachAxis(names_of(entry.key), value, entry.span)
