"""A worker in a process of a cluster: what it is told comes by calls of its methods, and what it tells is what one gives."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from importlib import import_module
from queue import Empty, SimpleQueue
from typing import Any

from nodegraph.base.threads import set_environment, wait_quietly
from nodegraph.executors.worker import Happened, Place, parcels, work
from nodegraph.runtime.cancel import CancelToken
from nodegraph.runtime.parcel import Packet
from nodegraph.sweep import Outcome


@dataclass(frozen=True, slots=True)
class Carried:
    """The outcome of a cell, and what came out of it, from another machine."""

    index: int
    outcome: Outcome
    packet: Packet | None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who runs the graphs: on which machine of the cluster, and where it keeps things."""

    node: str
    folders: Mapping[str, str]


class Actor:
    """Does what it is given on a thread of its own, so that it hears meanwhile. Its process is killed to end it."""

    def __init__(self, number: int, threads: int, caller: Caller) -> None:
        set_environment({"OMP_NUM_THREADS": str(threads)})
        if import_module("ray").get_runtime_context().get_node_id() == caller.node:
            set_environment(caller.folders)
        wait_quietly()
        self._tasks = SimpleQueue[tuple[bytes, CancelToken]]()
        self._told = SimpleQueue[Any]()
        self._token = CancelToken()
        self._kept = ExitStack()  # the folder of parcels goes with it
        self._place = Place(number, parcels(self._kept))
        threading.Thread(target=self._work, daemon=True).start()

    def life(self) -> Iterator[list[Any]]:
        """What it tells, as it happens; what happens together in one list. Raises what keeps it from working at all."""
        while True:
            found = [self._told.get()]
            with suppress(Empty):
                while True:
                    found.append(self._told.get_nowait())
            if isinstance(found[-1], BaseException):
                raise found[-1]
            yield list(map(_carried, found))

    def give(self, packed: bytes) -> None:
        """Let it do something."""
        self._token = CancelToken()
        self._tasks.put((packed, self._token))

    def cancel(self) -> None:
        """Let it stop what it was given last."""
        self._token.cancel()

    def _work(self) -> None:
        try:
            work(self._tasks, self._place, self._told.put)
        except BaseException as error:
            self._told.put(error)


def _carried(message: Any) -> Any:
    """A message for another machine, which does not see this one's parcels."""
    if isinstance(message, Happened) and isinstance(message.event, Outcome):
        sent = message.event.parcel
        outcome = replace(message.event, parcel=None)
        return Carried(message.index, outcome, sent.packet() if sent is not None else None)
    return message
