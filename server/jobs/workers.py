"""The workers of a server: a process for each device, and one that fetches models; their threads claim and record jobs."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from nodegraph.base.workspace import Workspace
from nodegraph.executors.cluster import Ray
from nodegraph.executors.place import cluster
from server.files import Files
from server.jobs.away import Seat
from server.jobs.job import End, Job, Lane
from server.jobs.process import Child, Device, Died
from server.jobs.recorder import Recorder
from server.jobs.store import Jobs
from server.jobs.tasks import Task, Told
from server.problems import full
from server.settings import Settings

log = logging.getLogger("nodegraph.server")
IDLE = 1.0
RETRY = 2.0
"""Seconds after which what the database refused is tried again."""
"""Seconds after which a worker without a job looks whether it is to cool down."""


@dataclass(slots=True)
class Worker:
    """A thread with a process: claims the jobs of a lane, one after the other."""

    name: str
    lane: Lane
    child: Child
    jobs: Jobs
    files: Files
    task: Callable[[Job, str], Task]
    keep_warm: float = 900.0
    seconds: float | None = None
    rows: int = 5_000
    current: str | None = None
    _unwanted: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])
    """Attempts at jobs that were cancelled, and may be on their way to the process."""
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _idle_since: float = field(default_factory=time.monotonic)

    def start(self) -> None:
        """Begin to claim jobs."""
        self._thread = threading.Thread(target=self._loop, name=f"worker {self.name}", daemon=True)
        self._thread.start()

    def _loop(self) -> None:
        seen = self.jobs.database.bell.count
        while not self._stopping.is_set():
            try:
                job = self.jobs.claim(self.lane, self.name)
            except (
                Exception
            ) as error:  # of the database; a thread that ended here would never claim again
                _tell(error, "worker %s: no job can be claimed", self.name)
                self._stopping.wait(RETRY)
                continue
            if job is None:
                self._cool()
                seen = self.jobs.database.bell.wait(seen, IDLE)
                continue
            self.current = job.id
            end = self._done(job)
            self._end(job, end)
            self._unwanted.discard((job.id, job.attempt))
            self.current, self._idle_since = None, time.monotonic()

    def _end(self, job: Job, end: End) -> None:
        """Write down how a job ended, again and again where the disk has no room for it."""
        while True:
            try:
                self.jobs.end(job.id, end)
                log.info("job %s %s", job.id, end.state)
                return
            except Exception as error:
                _tell(error, "job %s: its end cannot be written", job.id)
                if self._stopping.wait(RETRY):
                    return

    def _done(self, job: Job) -> End:
        """Run a job to an end of whatever kind."""
        log.info("job %s started on %s", job.id, self.name)
        out = self.files.runs / job.id
        try:
            return self._run(job, str(out))
        except Exception as error:
            _tell(error, "job %s: an error of the server", job.id)
            message = (
                "a disk is full" if full(error) else "an error of the server; its log tells more"
            )
            return End("failed", faults=[broken(message)])
        finally:
            settle(out)

    def _run(self, job: Job, out: str) -> End:
        recorder = Recorder(job.id, self.jobs, self.files, self.rows)
        task = self.task(job, out)
        try:
            with closing(
                self.child.do(task, self.seconds, lambda: (job.id, job.attempt) in self._unwanted)
            ) as telling:
                for told in telling:
                    recorder.take(told)
            end = recorder.end or End("failed", faults=[broken("the worker gave no result")])
        except Died as error:
            state = "interrupted" if self._stopping.is_set() else "failed"
            state = "cancelled" if "cancelled" in str(error) else state
            end = End(state, faults=[broken(str(error))])
        if self._stopping.is_set() and end.state == "cancelled":
            return End("interrupted", nodes=end.nodes)
        return end

    def _cool(self) -> None:
        """Stop a process that nobody needed for a while; its models go with it."""
        if self.child.alive and time.monotonic() - self._idle_since > self.keep_warm:
            self.child.stop()

    def cancel(self, job: Job) -> bool:
        """Cancel this attempt at a job, if it is this worker's, or is about to be."""
        self._unwanted.add((job.id, job.attempt))
        mine = self.current == job.id
        if mine:
            self.child.cancel()
        return mine

    def unload(self) -> bool:
        """Give back memory and models, if no job runs; whether it did."""
        free = self.current is None
        if free:
            self.child.stop()
        return free

    def stop(self, seconds: float) -> None:
        """Claim no more jobs; what runs is given a time, is then cancelled, and is interrupted."""
        self._stopping.set()
        self.jobs.database.bell.ring()
        if self._thread is not None:
            self._thread.join(seconds)
            if self._thread.is_alive():
                self.child.cancel()
                self._thread.join(self.child.grace + 2.0)
        self.child.stop()


@dataclass(frozen=True, slots=True)
class Workers:
    """All workers of a server, and the process that checks graphs."""

    workers: tuple[Worker, ...]
    cluster: Ray | None = None

    def start(self) -> None:
        for worker in self.workers:
            worker.start()

    def stop(self, seconds: float) -> None:
        """Stop them all; what runs is given a time."""
        stopping = [threading.Thread(target=w.stop, args=(seconds,)) for w in self.workers]
        for thread in stopping:
            thread.start()
        for thread in stopping:
            thread.join()
        if self.cluster is not None:
            self.cluster.close()

    def cancel(self, job: Job) -> None:
        """Cancel a running job."""
        any(worker.cancel(job) for worker in self.workers if worker.name == job.worker)


def workers_of(
    settings: Settings,
    workspace: Workspace,
    jobs: Jobs,
    files: Files,
    task: Callable[[Job, str], Task],
) -> Workers:
    """A worker for each device of the settings, one that fetches models, and those that the cluster has room for.

    Raises NoPlace where that does not answer.
    """
    lanes: list[tuple[str, Lane]] = [
        *((device, "device") for device in settings.workers),
        ("fetch", "fetch"),
    ]
    made: list[Worker] = []
    for name, lane in lanes:
        device = Device(name if lane == "device" else None, settings.vram_limit)
        child = Child(workspace, str(settings.folder), device)
        seconds = settings.job_seconds if lane == "device" else None
        warm, rows = settings.keep_warm, settings.limits.rows
        made.append(Worker(name, lane, child, jobs, files, task, warm, seconds, rows))
    if settings.on is None:
        return Workers(tuple(made))
    ray = cluster(settings.on)
    for number in range(ray.connect()):
        seat = Seat(workspace, str(settings.folder), ray=ray, number=number)
        given = (jobs, files, task, settings.keep_warm, settings.job_seconds, settings.limits.rows)
        made.append(Worker(f"ray-{number + 1}", settings.on, seat, *given))
    return Workers(tuple(made), ray)


def settle(out: Path) -> None:
    """Remove what a job wrote, which is kept by its digest, but for folders.

    In them trainings lay their networks, and what another attempt goes on from; they stay as long as the job does.
    """
    with suppress(OSError):
        for path in out.iterdir():
            if not path.is_dir():
                path.unlink()
        out.rmdir()


def broken(message: str) -> Told:
    """A fault that is no fault of the graph, as diagnostics are told."""
    empty = dict.fromkeys(
        ("file", "line", "column", "end_line", "end_column", "node", "hint", "raised")
    )
    return {
        "code": "",
        "name": "worker",
        "severity": "error",
        "message": message,
        **empty,
        "fix": [],
    }


def _tell(error: Exception, what: str, name: str) -> None:
    """Log an error; of a full disk one line, which comes again and again until there is room."""
    if full(error):
        log.error(f"{what}: no room on a disk, or it may not be written", name)
    else:
        log.error(what, name, exc_info=error)
