"""What every place that runs graphs is given, and what comes back."""

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from nodegraph.base.workspace import NOWHERE, Workspace
from nodegraph.groups import Told, groups_of
from nodegraph.runtime.events import Completed, Event, Stepped
from nodegraph.runtime.recorded import Recorded
from nodegraph.session import Job
from nodegraph.sweep import Cell, Sweep


@dataclass(frozen=True, slots=True)
class Share:
    """A graph, and some cells of it with the job of each, to be run together where they can be. One run is a cell without
    values.

    `workspace`: where its node files are. `code`: digest of the nodes that it is meant for; empty for any.
    `write`: what comes out is written to the job's folder where it is run; else whoever asked gets it.
    """

    opened: Recorded
    cells: tuple[tuple[Cell, Job], ...]
    workspace: Workspace = NOWHERE
    code: str = ""
    write: bool = False


class Executor(Protocol):
    """Runs shares, in any order and several at once. One `run` at a time."""

    def run(self, shares: Iterable[Share]) -> Generator[Told]:
        """What happens in the cells, as it happens; the last that is told of one is its Outcome.

        A cell that fails has an Outcome with a fault, and stops no other. To close the iterator stops what runs.
        Raises Cancelled.
        """
        ...

    def cancel(self) -> None:
        """Let `run` stop, and raise Cancelled; from any thread. What is loaded stays, for the next run."""
        ...

    def close(self) -> None:
        """Stop what runs, at once, and let everything go."""
        ...


def shares_of(sweep: Sweep) -> Iterator[Share]:
    """The cells of a sweep as they are shared out: those that can run together in one share."""
    session = sweep.session
    for group in groups_of(sweep):
        cells = tuple((cell, sweep.job_of(cell.values)) for cell in group)
        yield Share(sweep.opened, cells, session.workspace, session.registry.code)


def without_values(event: Event) -> Event:
    """An event for another process: what it tells, without tensors."""
    match event:
        case Stepped():
            return replace(event, preview=None, noisy=None, encode=None)
        case Completed():
            return replace(event, outputs={})
        case _:
            return event
