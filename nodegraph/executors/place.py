"""Places to run graphs by name, and sweeps that are run there."""

import re
from collections.abc import Generator
from contextlib import closing
from dataclasses import replace

from nodegraph.base.codes import Code
from nodegraph.base.diagnostics import GraphError, diagnostic
from nodegraph.executors.cluster import Ray
from nodegraph.executors.here import Here
from nodegraph.executors.processes import Processes
from nodegraph.executors.share import Executor, shares_of
from nodegraph.executors.tasks import NoPlace
from nodegraph.groups import Told
from nodegraph.library.registry import Arrays
from nodegraph.runtime.literals import Library
from nodegraph.session import Session, chosen_device
from nodegraph.sweep import Outcome, Sweep, failed, run_cell, written

MOST = 256
"""Processes."""
_PROCESSES = re.compile(r"processes:([1-9]\d{0,5})")
_RAY = re.compile(
    r"ray(?:://(?P<host>\[[0-9a-fA-F:.]+\]|[\w.-]+)(?::(?P<port>\d{1,5}))?)?", re.ASCII
)
CLUSTERS = "ray, or ray://HOST:6379"
PORT = "6379"
"""Of the head of a Ray cluster, where no other is said."""
CLIENT = "10001"
"""Of Ray's own client, by which no results come as they are made."""


def executor(name: str, session: Session) -> Executor:
    """The place `here`, `processes:N`, `ray` (this machine) or `ray://HOST:PORT` (of a cluster's head), to run graphs of a
    session. Raises NoPlace."""
    if name == "here":
        return Here(session)
    if found := _PROCESSES.fullmatch(name):
        if int(found[1]) > MOST:
            raise _none(f"{found[1]} processes are more than {MOST}", "say fewer")
        return Processes(int(found[1]))
    if name.startswith("ray"):
        return cluster(name)
    raise _none(f"'{name}' is no place to run graphs", f"say here, or processes:2, or {CLUSTERS}")


def cluster(name: str) -> Ray:
    """The place `ray`, this machine, or `ray://HOST:PORT`, the machines of a cluster. Raises NoPlace."""
    found = _RAY.fullmatch(name)
    if found is None:
        raise _none(f"'{name}' is no cluster to run graphs on", f"say {CLUSTERS}")
    host, port = found["host"], found["port"] or PORT
    if host and (port == CLIENT or not 0 < int(port) < 65536):
        hint = f"say the port of the head, as `ray start --head` prints it: ray://{host}:{PORT}"
        raise _none(f"'{name}' has a port at which no head listens", hint)
    return Ray(address=f"{host}:{port}" if host else "")


def _none(message: str, hint: str) -> NoPlace:
    return NoPlace(diagnostic(Code.NO_PLACE, message, hint=hint))


def swept(sweep: Sweep, place: Executor, files: bool = False) -> Generator[Told]:
    """Run the cells of a sweep. Events come as they happen, outcomes in the order of the cells, with what came out.

    `files`: it is for files alone, and written to the folder of the job's options. Raises NoDevice.
    """
    chosen_device(sweep.opened, sweep.job.options)
    library = Arrays(sweep.session.registry) if files else sweep.session.registry
    early: dict[int, Outcome] = {}
    due = 0
    with closing(place.run(shares_of(sweep))) as told:
        for cell, event in told:
            if not isinstance(event, Outcome):
                yield cell, event
                continue
            early[cell.number] = event
            while due in early:
                outcome = early.pop(due)
                found = delivered(sweep, outcome, library)
                for last in written(sweep.session, found) if files else [found]:
                    yield outcome.cell, last
                due += 1


def delivered(sweep: Sweep, outcome: Outcome, library: Library) -> Outcome:
    """The outcome of a cell with what came out, wherever it ran; what cannot be sent, as a live value, is made again here."""
    if outcome.fault is not None or outcome.prepared is not None:
        return outcome
    session, job = sweep.session, sweep.job_of(outcome.cell.values)
    try:
        prepared = session.ready(sweep.opened, job)
    except GraphError as error:
        return failed(outcome.cell, outcome.seconds, error)
    names, sent = prepared.program.outputs, outcome.parcel
    outputs = sent.take(prepared.program, library) if sent is not None else {}
    if outputs.keys() == names.keys():
        return replace(outcome, outputs=outputs, prepared=prepared, parcel=None)
    return next(
        event
        for event in run_cell(session, sweep.opened, job, outcome.cell)
        if isinstance(event, Outcome)
    )
