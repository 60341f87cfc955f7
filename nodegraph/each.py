"""`graph.each(guidance=[1, 2, 4], seed=range(4))`: a graph run for every combination of values, in Python."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from nodegraph.base import markup
from nodegraph.base.diagnostics import GraphWarning
from nodegraph.base.ownership import own
from nodegraph.executors.place import executor, swept
from nodegraph.executors.share import Executor
from nodegraph.notebook import Watch
from nodegraph.session import Prepared
from nodegraph.sweep import Outcome, Sweep

if TYPE_CHECKING:
    from PIL.Image import Image

R = TypeVar("R")


class Rows(list[dict[str, Any]]):
    """Rows by the names of their columns, a table in notebooks."""

    def _repr_html_(self) -> str:
        return markup.records(self)


@dataclass
class Each(Generic[R]):
    """The cells of a sweep: an iterator of (inputs, Result), in order, the first input changing slowest.

    Here they run as they are asked for; workers run ahead. One that fails is left out with a GraphWarning, and is a row of
    the table.
    """

    sweep: Sweep
    result: Callable[[Prepared, Mapping[str, Any]], R]
    on: str | Executor = "here"
    """Where they run; a place that is named is opened for each iteration, and closed after it."""
    _outcomes: dict[int, Outcome] = field(default_factory=dict[int, Outcome])

    def __len__(self) -> int:
        return len(self.sweep)

    def __iter__(self) -> Iterator[tuple[Mapping[str, Any], R]]:
        for outcome in self._outcomes_of_all():
            cell = outcome.cell
            self._outcomes[cell.number] = replace(outcome, outputs={}, prepared=None)
            if outcome.prepared is not None:
                outputs = {n: own(v) for n, v in outcome.outputs.items()}
                yield cell.values, self.result(outcome.prepared, outputs)
            else:
                message = f"cell {cell.number} {dict(cell.values)} failed: {outcome.fault}"
                warnings.warn(message, GraphWarning, stacklevel=2)

    def _outcomes_of_all(self) -> Iterator[Outcome]:
        place = executor(self.on, self.sweep.session) if isinstance(self.on, str) else self.on
        own = closing(place) if place is not self.on else nullcontext()
        with own, closing(swept(self.sweep, place)) as told:
            watch, done = Watch(), 0
            try:
                for cell, event in told:
                    if isinstance(event, Outcome):
                        done += 1
                        yield event
                    else:
                        watch.see(event, f"cell {cell.number + 1} of {len(self)}")
            finally:
                watch.end(f"{done} of {len(self)} cells")

    def _whole(self) -> list[Outcome]:
        """The outcomes of all cells; those that have not run yet run now."""
        if len(self._outcomes) < len(self.sweep):
            for _ in self:
                pass
        return [self._outcomes[number] for number in sorted(self._outcomes)]

    def table(self) -> "Rows":
        """A row for each cell: its number, inputs, numbers and texts that came out, status, seconds, message of a failure."""
        return Rows(outcome.row() for outcome in self._whole())

    def sheet(self) -> "Image":
        """The first picture of each cell on one sheet, the axes labelled: the first down, the second across, more below.

        Raises ValueError where no cell gave a picture.
        """
        from nodegraph.runtime.sheet import stacked

        pages = self.sweep.sheet(self._whole())
        if not pages:
            raise ValueError("no cell gave a picture")
        return stacked(pages)

    def __repr__(self) -> str:
        axes = " × ".join(f"{'+'.join(a.names)} ({len(a.rows)})" for a in self.sweep.axes)
        return f"<{len(self)} cells: {axes}>"

    def _repr_html_(self) -> str:
        """The rows of the cells that have run; to be shown runs none."""
        rows = [self._outcomes[number].row() for number in sorted(self._outcomes)]
        told = f"{self!r}, of which {len(rows)} have run"
        return markup.paragraph(told) + (markup.records(rows) if rows else "")
