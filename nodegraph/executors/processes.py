"""Workers beside this process: places of the pool in processes of this machine."""

from dataclasses import dataclass

from nodegraph.base.threads import shared_out
from nodegraph.executors.pool import Pool
from nodegraph.executors.process import started
from nodegraph.executors.tasks import Worker
from nodegraph.executors.worker import Place


@dataclass
class Processes(Pool):
    """So many workers, started when there is something to do. They keep what they have loaded until this is closed.

    Each has a card of its own where there are cards, else its part of the processor's cores. Raises ValueError for less
    than one.
    """

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"graphs run in one process at least, not in {self.count}")

    def started(self, number: int) -> Worker:
        """See `Pool`."""
        return started(Place(number, self.parcels), shared_out(self.count), self.heard)
