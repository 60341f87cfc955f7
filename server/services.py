"""What the routes of a server work with: one of each, made at its start."""

import threading
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from fastapi import Request
from filelock import FileLock, Timeout

from nodegraph.base.paths import why
from nodegraph.base.workspace import Workspace
from nodegraph.session import Session
from server import database
from server.asking import Asks
from server.checking import Checker
from server.database import Database, NoDatabase
from server.documents import Documents
from server.files import Files
from server.jobs.log import Log
from server.jobs.requests import task_of
from server.jobs.store import Jobs
from server.jobs.workers import Workers, workers_of
from server.live import Live
from server.security import Tickets
from server.settings import Settings

LARGE_TEXTS = 4
"""Large texts that wait for their turn: each holds a thread of the server."""


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of a server."""

    settings: Settings
    workspace: Workspace
    session: Session
    database: Database
    log: Log
    jobs: Jobs
    files: Files
    documents: Documents
    live: Live
    checker: Checker
    judge: Checker
    """Reads large texts, which would keep this process from its other requests; checks with shapes take longer still."""
    workers: Workers
    tickets: Tickets
    lock: FileLock
    reading: threading.Lock = field(default_factory=threading.Lock)

    def fresh(self) -> Session:
        """The session with the node files of the workspace as they are now, read by one thread for all. Raises NoNodes."""
        with self.reading:
            return self.session.fresh()

    def asking(self) -> Asks:
        """Reads requests with these node files. Raises NoNodes."""
        return Asks(self.fresh(), self.documents, self.files, self.settings.limits, self.judge)

    def close(self) -> None:
        """Stop what runs, and give back all that is held."""
        self.workers.stop(0.0)
        self.checker.stop()
        self.judge.stop()
        self.database.close()
        self.lock.release()


def services(settings: Settings) -> Services:
    """Everything that a server needs, from its state folder. Raises NoDatabase where that cannot be used."""
    lock = _claimed(settings.state)
    limits, workspace = settings.limits, Workspace(settings.nodes, settings.folder)
    opened = database.opened(settings.state / "server.sqlite")
    log = Log(opened)
    jobs = Jobs(opened, log, limits.queued)
    files = Files(settings.state / "files", opened, limits.kept)
    documents = Documents(settings.folder, opened, settings.nodes, limits.text)
    session = Session(workspace=workspace)
    checker = Checker(workspace, str(settings.folder))
    judge = Checker(workspace, str(settings.folder), LARGE_TEXTS)
    task = partial(task_of, jobs=jobs, settings=settings)
    workers = workers_of(settings, workspace, jobs, files, task)
    live = Live(opened, log, limits.text)
    jobs.restarted(settings.resume)
    return Services(
        settings,
        workspace,
        session,
        opened,
        log,
        jobs,
        files,
        documents,
        live,
        checker,
        judge,
        workers,
        Tickets(),
        lock,
    )


def _claimed(state: Path) -> FileLock:
    """The state folder, made if need be, with what is its owner's alone. Raises NoDatabase."""
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = _locked(state)
        for name in ("runs", "files"):
            (state / name).mkdir(exist_ok=True, mode=0o700)
    except OSError as error:
        mend = "name another folder with --state"
        raise NoDatabase(f"{state} cannot be written: {why(error)}; {mend}") from None
    return lock


def _locked(state: Path) -> FileLock:
    """One server a state folder. Raises NoDatabase."""
    lock = FileLock(state / "lock", timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        raise NoDatabase(
            f"another server works with {state}; stop it, or name another folder with --state"
        ) from None
    return lock


def of(request: Request) -> Services:
    """The services of a request."""
    found = request.app.state.services
    assert isinstance(found, Services)
    return found
