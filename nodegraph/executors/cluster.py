"""Workers on the machines of a Ray cluster: an actor for each card, or where there is none, for each group of cores."""

import signal
import socket
import threading
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.util import find_spec
from itertools import chain, islice
from queue import Empty, SimpleQueue
from typing import Any

from nodegraph.base.codes import Code
from nodegraph.base.diagnostics import diagnostic
from nodegraph.base.threads import cores_here, kept_here, set_environment, threads_asked_for
from nodegraph.executors.actor import Actor, Caller, Carried
from nodegraph.executors.pool import Pool
from nodegraph.executors.share import Share
from nodegraph.executors.tasks import Ending, Heard, NoPlace, Worker
from nodegraph.executors.worker import Cancel, Happened
from nodegraph.groups import Told

CORES = 4
"""Cores of a worker without a card, where OMP_NUM_THREADS says no other number."""
BEGINNING = 120.0
"""Seconds after which the run ends if not one worker has begun."""
HEARING = "hearing"
"""The thread of an actor that hears what it is told, in order, while another tells."""
MEND = "say HOST:PORT of the head, as `ray start --head` prints it (6379), and run on a machine of the cluster"
KNOCKING = 10.0
"""Seconds in which a head takes a connection, if there is one."""
QUIET = {
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_NUM_REDIS_GET_RETRIES": "2",
}
"""Ray prints what it thinks of lost workers on standard output, where results are, tells its makers who uses it, and asks
a port behind which there is no head 20 times, for 36 s each."""


@dataclass(eq=False)
class Member(Worker):
    """An actor of the cluster. Calls of it wait while it is not placed; a share is given to one that has begun."""

    ray: Any
    actor: Any
    why: str = ""
    lost: bool = False

    @property
    def willing(self) -> bool:
        """See `Worker`."""
        return self.ready

    @property
    def alive(self) -> bool:
        """See `Worker`."""
        return not self.lost

    def send(self, message: Any) -> None:
        """See `Worker`."""
        with suppress(Exception):  # it is lost, or Ray is shut down
            if isinstance(message, Cancel):
                self.actor.cancel.options(concurrency_group=HEARING).remote()
            else:
                self.actor.give.options(concurrency_group=HEARING).remote(message)

    def kill(self) -> None:
        """See `Worker`."""
        self.lost = True
        with suppress(Exception):
            self.ray.kill(self.actor)

    def ended(self) -> Ending:
        """See `Worker`."""
        return Ending(f"was lost ({self.why})", not self.ready)


@dataclass
class Ray(Pool):
    """The machines of a cluster: those of the head at `address` (HOST:PORT), or this one alone.

    It is connected to, or begun, with the first run; Ray that this process has begun already is used as it is. The
    workers are as many as the cluster has cards, or groups of cores, when a run begins. Raises NoPlace where Ray is not
    installed.
    """

    count: int = 0
    address: str = ""
    _ray: Any = None
    _ours: bool = False
    _machines: "Machines" = field(default_factory=lambda: Machines(0, 0, 1, 1))

    def __post_init__(self) -> None:
        if find_spec("ray") is None:
            message = f"{self.name} needs a package that is not here: ray"
            mend = "pip install 'nodegraph[ray]', on every machine of the cluster"
            raise NoPlace(diagnostic(Code.NO_PACKAGE, message, hint=mend))

    @property
    def name(self) -> str:
        """As it is named on the command line."""
        return f"ray://{self.address}" if self.address else "ray"

    def run(self, shares: Iterable[Share]) -> Generator[Told]:
        """See `Executor`. Raises NoPlace too, where the cluster does not answer, or has nothing free."""
        waiting = iter(shares)
        first = list(islice(waiting, self.connect()))
        self.count = len(first)
        return super().run(chain(first, waiting))

    def close(self) -> None:
        """See `Executor`. Ray that was begun here is shut down."""
        super().close()
        if self._ours:
            self._ours = False
            self._ray.shutdown()

    def started(self, number: int) -> Worker:
        """See `Pool`."""
        return self.begin(number, self.heard)

    def begin(self, number: int, heard: SimpleQueue[Heard | None]) -> Member:
        """Ask for a worker, whose messages are put into a queue; it begins when the cluster has room for it."""
        machines, ray = self._machines, self._ray
        caller = Caller(ray.get_runtime_context().get_node_id(), kept_here())
        made = ray.remote(
            num_gpus=machines.cards, num_cpus=machines.cores, concurrency_groups={HEARING: 1}
        )(Actor)
        member = Member(ray, made.remote(number, machines.threads, caller))
        threading.Thread(target=self._listen, args=(member, heard), daemon=True).start()
        return member

    def connect(self) -> int:
        """Connect to the cluster, or begin one; how many workers it has room for. Raises NoPlace."""
        self._connect()
        self._machines = machines_of(self._ray.nodes())
        if not self._machines.workers:
            message = f"{self.name} has neither a card nor a core for a worker"
            raise NoPlace(diagnostic(Code.NO_PLACE, message, hint="`ray status` tells what it has"))
        return self._machines.workers

    def _connect(self) -> None:
        """Connect to the cluster, or begin one. Raises NoPlace."""
        set_environment(QUIET, over=False)
        self._ray = import_module("ray")
        if self._ray.is_initialized():
            return
        try:
            _knock(self.address)
            with _own_signals():
                self._ray.init(
                    address=self.address or "local",
                    num_cpus=None if self.address else cores_here(),
                    include_dashboard=False,
                    log_to_driver=False,
                    logging_level="ERROR",
                )
        except Exception as error:
            message = f"{self.name} does not answer: {str(error).partition(chr(10))[0][:300]}"
            raise NoPlace(diagnostic(Code.NO_PLACE, message, hint=MEND)) from None
        self._ours = True

    def next_heard(self) -> Heard | None:
        """See `Pool`."""
        begun = any(worker.ready for worker in self._workers.values())
        try:
            return self.heard.get(timeout=None if begun else BEGINNING)
        except Empty:
            message = f"no worker of {self.name} has begun within {BEGINNING:g} s"
            hint = "its cards are taken by others, or nodegraph is not installed there; `ray status` tells more"
            raise NoPlace(diagnostic(Code.NO_PLACE, message, hint=hint)) from None

    def _listen(self, member: Member, heard: SimpleQueue[Heard | None]) -> None:
        """Put what a worker tells into the queue, until it is lost."""
        try:
            for told in member.actor.life.options(num_returns="streaming").remote():
                for message in list(map(self._here, self._ray.get(told))):
                    heard.put((member, message))
        except Exception as error:  # of Ray's many kinds; what kept it from beginning stands last
            said = [line.strip() for line in str(error).splitlines() if line.strip()]
            member.why = said[0 if member.ready else -1] if said else type(error).__name__
        member.lost = True
        heard.put((member, None))

    def _here(self, message: Any) -> Any:
        """A message, with what came out of a cell laid down on this machine."""
        if not isinstance(message, Carried):
            return message
        laid = message.packet and message.packet.laid(self.parcels)
        return Happened(message.index, replace(message.outcome, parcel=laid))


@dataclass(frozen=True, slots=True)
class Machines:
    """How many workers a cluster has room for, and what each of them takes: cards, cores as Ray counts them, threads."""

    workers: int
    cards: int
    cores: int
    threads: int


def machines_of(nodes: Iterable[Mapping[str, Any]]) -> Machines:
    """A worker a card; where there is no card at all, one for each group of cores. Machines that are lost do not count."""
    found = [node["Resources"] for node in nodes if node["Alive"]]
    cards = sum(int(of.get("GPU", 0)) for of in found)
    if cards:
        cores = (int(of.get("CPU", 1)) // int(of["GPU"]) for of in found if of.get("GPU", 0) >= 1)
        return Machines(cards, 1, 0, max(1, threads_asked_for() or min(cores)))
    asked = threads_asked_for() or CORES
    cores = [int(of.get("CPU", 0)) for of in found if of.get("CPU", 0) >= 1]
    group = min(asked, *cores) if cores else 1
    return Machines(sum(n // group for n in cores), 0, group, group)


def _knock(address: str) -> None:
    """See that somebody listens at HOST:PORT, if one is given. Raises OSError."""
    if address:
        host, _, port = address.rpartition(":")
        socket.create_connection((host.strip("[]"), int(port)), KNOCKING).close()


@contextmanager
def _own_signals() -> Generator[None]:
    """Leave what this process does at SIGTERM as it is: Ray sets a handler of its own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
