"""What a graph file keeps for a canvas: the places of nodes, and the frames around them."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import cast

from nodegraph.base.codes import Code
from nodegraph.base.diagnostics import Hints, Span, meant, swap
from nodegraph.language.mistaken import is_number
from nodegraph.language.yaml import Entry, Items, Leaf


@dataclass(frozen=True, slots=True)
class Canvas:
    """Reads it; what is wrong goes to `fault`."""

    fault: Callable[..., None]
    hints: Hints

    def frames(
        self, entries: Iterable[Entry], there: Collection[str]
    ) -> dict[str, tuple[str, ...]]:
        """The frames of a canvas; a name that nothing has is told."""
        found: dict[str, tuple[str, ...]] = {}
        for entry in entries:
            members = entry.value.values if isinstance(entry.value, Items) else None
            if members is None:
                message = f"the frame '{entry.key}' must be a list of nodes"
                self.fault(
                    Code.WRONG_STRUCTURE, message, entry.value.span, f"write: {entry.key}: [node]"
                )
                continue
            names = [(str(m.value), m.span) for m in members if isinstance(m, Leaf)]
            for name, span in names:
                if name not in there:
                    self.stranger(f"the frame '{entry.key}'", name, span, there)
            found[entry.key] = tuple(name for name, _ in names if name in there)
        return found

    def stranger(self, owner: str, name: str, span: Span, there: Collection[str]) -> None:
        """What is said of the canvas names nothing of the graph."""
        hint = self.hints.nearest(name, there)
        message = f"{owner} names '{name}', which is nowhere in the graph"
        self.fault(Code.NOT_IN_GRAPH, message, span, hint, None, swap(span, meant(hint)))

    def layout(
        self, entries: Iterable[Entry], there: Collection[str]
    ) -> dict[str, tuple[float, float]]:
        """The places of a canvas; a name that nothing has is told."""
        places: dict[str, tuple[float, float]] = {}
        for entry in entries:
            if entry.key not in there:
                self.stranger("the layout", entry.key, entry.span, there)
            pair = entry.value.values if isinstance(entry.value, Items) else ()
            numbers = [v.value for v in pair if isinstance(v, Leaf) and is_number(v.value)]
            if len(numbers) == len(pair) == 2:
                places[entry.key] = cast("tuple[float, float]", tuple(numbers))
            else:
                self.fault(
                    Code.WRONG_STRUCTURE,
                    f"the place of '{entry.key}' must be [x, y]",
                    entry.value.span,
                )
        return places
