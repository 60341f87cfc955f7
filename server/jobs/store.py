"""The jobs of a server and their states: queued → running → done, failed, cancelled or interrupted. All of it is kept."""

import secrets
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, func, insert, select, update

from server.database import Database, files, job_files, jobs, settings
from server.jobs.job import (
    ENDED,
    End,
    Job,
    Lane,
    OtherRequest,
    QueueFull,
    State,
    Wanted,
    WrongState,
)
from server.jobs.log import JOB, Log

PARENT: tuple[State, ...] = ("interrupted", "cancelled", "done", "failed")
"""A sweep ends as the first of these that one of its cells ended as."""
PRIORITY = 1e6
"""Seconds by which a job of the next higher priority comes before its time."""

RECENT = 200
"""Jobs among which is looked for the one that made what another one found in the cache."""

STEP = 1e-3
"""Seconds between jobs that were put in order by hand."""


_COLUMNS = tuple(jobs.c[f.name] for f in fields(Job))
_WAITING = (jobs.c.state == "queued", jobs.c.parent.is_(None))


@dataclass(frozen=True, slots=True)
class Jobs:
    """The jobs of a database; every change is told in its log, in the same transaction."""

    database: Database
    log: Log
    most_queued: int = 200

    def add(self, wanted: Wanted, key: str | None = None, body: str = "") -> tuple[Job, bool]:
        """Queue a job, or find the one that was queued under the same key; whether it is new.

        Raises QueueFull, and OtherRequest where the key stands for another body.
        """
        with self.database.writing() as connection:
            if key is not None:
                row = connection.execute(
                    select(jobs.c.id, jobs.c.body).where(jobs.c.key == key)
                ).first()
                if row is not None and row.body != body:
                    raise OtherRequest(key)
                if row is not None:
                    return _job(connection, row.id), False
            if _count(connection, *_WAITING) >= self.most_queued:
                raise QueueFull(f"{self.most_queued} jobs wait already")
            now = time.time()
            when = {"created": now, "position": _behind(connection, now, wanted.priority)}
            made = _row(wanted, when | {"key": key, "body": body, "parent": None, "cell": None})
            beside = {"key": None, "body": "", "parent": made["id"]}
            cells = [_row(c, when | beside | {"cell": n}) for n, c in enumerate(wanted.cells)]
            connection.execute(insert(jobs), [made, *cells])
            told = [(JOB + row["id"], "job.queued", _about(row)) for row in (made, *cells)]
            self.log.add_all(connection, told)
            self._hold(connection, made["id"], wanted.files)
            return _job(connection, made["id"]), True

    def claim(self, lane: Lane, worker: str) -> Job | None:
        """Take the next job of a lane, or for this worker alone, if the queue is not paused; it runs from now on."""
        if not self.waiting(lane, worker):
            return None  # no writing transaction where there is nothing to do
        first = (
            select(jobs.c.number)
            .where(jobs.c.state == "queued", jobs.c.lane.in_((lane, worker)))
            .order_by(jobs.c.position, jobs.c.number)
            .limit(1)
            .scalar_subquery()
        )
        values = {"state": "running", "started": time.time(), "worker": worker}
        claiming = (
            update(jobs)
            .where(jobs.c.number == first)
            .values(**values, attempt=jobs.c.attempt + 1, outputs=None, faults=None, nodes=None)
            .returning(jobs.c.id)
        )
        with self.database.writing() as connection:
            if _paused(connection) or (id := connection.execute(claiming).scalar()) is None:
                return None
            job = _job(connection, id)
            started = {"worker": worker, "attempt": job.attempt, **_about(_parentage(job))}
            self.log.add(connection, JOB + id, "job.started", started)
            if job.parent is not None:
                self._begin_parent(connection, job.parent)
            return job

    def waiting(self, lane: Lane, worker: str) -> bool:
        """Whether there is a job for the workers of a lane, or for one of them."""
        with self.database.reading() as connection:
            lanes = jobs.c.lane.in_((lane, worker))
            found = _count(connection, jobs.c.state == "queued", lanes)
            return bool(found) and not _paused(connection)

    def _begin_parent(self, connection: Connection, id: str) -> None:
        values = {"state": "running", "started": time.time()}
        where = and_(jobs.c.id == id, jobs.c.state == "queued")
        if connection.execute(update(jobs).where(where).values(**values)).rowcount:
            self.log.add(connection, JOB + id, "job.started", {"worker": None, "attempt": 1})

    def end(self, id: str, end: End) -> None:
        """A job that runs, or waits, comes to its end; one that has ended already stays as it is."""
        with self.database.writing() as connection:
            self._end(connection, id, end)

    def _end(self, connection: Connection, id: str, end: End) -> None:
        values = {f.name: getattr(end, f.name) for f in fields(End)}
        values = {name: value or None for name, value in values.items()}
        where = and_(jobs.c.id == id, jobs.c.state.in_(("queued", "running")))
        changed = connection.execute(update(jobs).where(where).values(**values, ended=time.time()))
        if not changed.rowcount:
            return
        job = _job(connection, id)
        told = {"outputs": dict(end.outputs), "faults": list(end.faults), **_about(_parentage(job))}
        self.log.add(connection, JOB + id, f"job.{end.state}", told)
        if job.parent is not None:
            self._end_parent(connection, job.parent)

    def _end_parent(self, connection: Connection, id: str) -> None:
        """The sweep of a cell that ended ends with its last one."""
        states = _states(connection, id)
        if not states.keys() - ENDED:
            found: list[State] = [state for state in PARENT if states.get(state)]
            self._end(connection, id, End(found[0]))

    def cancel(self, id: str) -> list[Job]:
        """What waits of a job is cancelled; gives what runs of it, whose workers must be told.

        Raises KeyError, and WrongState for a job that has ended.
        """
        with self.database.writing() as connection:
            job = _job(connection, id)
            if job.state in ENDED:
                raise WrongState(f"the job is {job.state} already")
            whole = [job] if job.kind != "sweep" else _children(connection, id)
            self._cancel(connection, [one for one in whole if one.state == "queued"])
            parent = id if job.kind == "sweep" else job.parent
            if parent is not None:
                self._end_parent(connection, parent)
            return [one for one in whole if one.state == "running"]

    def _cancel(self, connection: Connection, waiting: Sequence[Job]) -> None:
        """Cancel what waits, all at once: a sweep may have ten thousand cells."""
        if waiting:
            numbers = [{"one": job.number} for job in waiting]
            ending = update(jobs).where(jobs.c.number == bindparam("one"))
            connection.execute(ending.values(state="cancelled", ended=time.time()), numbers)
            told = {"outputs": {}, "faults": []}
            self.log.add_all(
                connection,
                [(JOB + j.id, "job.cancelled", {**told, **_about(_parentage(j))}) for j in waiting],
            )

    def retry(self, id: str) -> Job:
        """A job that failed, or was cancelled or interrupted, waits again; of a sweep those of its cells.

        Raises KeyError, and WrongState for another one.
        """
        with self.database.writing() as connection:
            job = _job(connection, id)
            if job.state not in ("failed", "cancelled", "interrupted"):
                raise WrongState(
                    f"the job is {job.state}: only what did not come to its end is tried again"
                )
            whole = [
                job,
                *(c for c in _children(connection, id) if c.state not in ("done", "running")),
            ]
            for one in whole:
                values = {"state": "queued", "started": None, "ended": None, "faults": None}
                connection.execute(update(jobs).where(jobs.c.id == one.id).values(**values))
                self.log.add(connection, JOB + one.id, "job.queued", _about(_parentage(one)))
            if job.parent is not None:
                self._revive(connection, job.parent)
            return _job(connection, id)

    def _revive(self, connection: Connection, id: str) -> None:
        """A sweep of which a cell is tried again has not come to its end."""
        where = and_(jobs.c.id == id, jobs.c.state.in_(ENDED))
        again = update(jobs).where(where).values(state="queued", ended=None)
        if connection.execute(again).rowcount:
            self.log.add(connection, JOB + id, "job.queued", {})

    def move(self, id: str, before: str | None) -> None:
        """Put a waiting job before another one, or behind all. Raises KeyError, and WrongState for one that does not wait."""
        with self.database.writing() as connection:
            job, queue = _job(connection, id), _queue(connection)
            other = None if before is None else _job(connection, before)
            if any(j is not None and (j.state != "queued" or j.parent) for j in (job, other)):
                raise WrongState("only jobs that wait can be moved, and before such")
            order = [j.id for j in queue if j.id != id or before == id]
            if before != id:
                order.insert(len(order) if other is None else order.index(other.id), id)
            first = min(j.position for j in queue)
            for number, one in enumerate(order):
                of_job = (jobs.c.id == one) | (jobs.c.parent == one)
                values = {"position": first + STEP * number}
                connection.execute(update(jobs).where(of_job).values(**values))
            self.log.add(connection, JOB + id, "job.moved", {"before": before})

    def remove(self, id: str) -> None:
        """Remove a job that has ended, with its cells, events and hold on files. Raises KeyError, WrongState."""
        with self.database.writing() as connection:
            job = _job(connection, id)
            if job.state not in ENDED:
                raise WrongState(f"the job is {job.state}; cancel it first")
            if job.parent is not None:
                raise WrongState(f"it is a cell of {job.parent}, with which it is removed")
            for one in (*_children(connection, id), job):
                self.log.forget(connection, JOB + one.id)
                connection.execute(delete(jobs).where(jobs.c.id == one.id))

    def restarted(self, resume: bool) -> list[str]:
        """After a start: what ran when the last server ended is interrupted, or waits again. Gives the ids."""
        with self.database.writing() as connection:
            running = and_(jobs.c.state == "running", jobs.c.kind != "sweep")
            found = list(connection.execute(select(jobs.c.id).where(running)).scalars())
            for id in found:
                if resume:
                    connection.execute(update(jobs).where(jobs.c.id == id).values(state="queued"))
                    self.log.add(connection, JOB + id, "job.queued", {})
                else:
                    self._end(connection, id, End("interrupted"))
            return found

    def get(self, id: str) -> Job:
        """A job. Raises KeyError."""
        with self.database.reading() as connection:
            return _job(connection, id)

    def place(self, job: Job) -> int | None:
        """How many jobs of the queue come before a job that waits; None for another one."""
        if job.state != "queued":
            return None
        earlier = (jobs.c.position < job.position) | (
            (jobs.c.position == job.position) & (jobs.c.number < job.number)
        )
        with self.database.reading() as connection:
            return _count(connection, *_WAITING, earlier)

    def listed(self, state: State | None, before: int | None, limit: int) -> list[Job]:
        """Jobs of people (cells are their sweeps' affair), the newest first; `before` is the number to go on from."""
        wanted = select(*_COLUMNS).where(jobs.c.parent.is_(None))
        if state is not None:
            wanted = wanted.where(jobs.c.state == state)
        if before is not None:
            wanted = wanted.where(jobs.c.number < before)
        with self.database.reading() as connection:
            return [
                Job(*row)
                for row in connection.execute(wanted.order_by(jobs.c.number.desc()).limit(limit))
            ]

    def cells(self, id: str) -> list[Job]:
        """The cells of a sweep, in order."""
        with self.database.reading() as connection:
            return _children(connection, id)

    def makers(self, before: int, keys: Collection[str]) -> dict[str, tuple[str, str]]:
        """Of the newest jobs before a number those that made what is kept under keys: the job and its node."""
        wanted = select(jobs.c.id, jobs.c.nodes).where(jobs.c.number < before)
        found: dict[str, tuple[str, str]] = {}
        with self.database.reading() as connection:
            for id, nodes in connection.execute(
                wanted.order_by(jobs.c.number.desc()).limit(RECENT)
            ):
                for name, told in (nodes or {}).items():
                    if told.get("status") == "ran" and told.get("key") in keys:
                        found.setdefault(told["key"], (id, name))
        return found

    def oldest_beyond(self, most: int) -> list[str]:
        """Ids of jobs that have ended, but for the newest ones."""
        ended = select(jobs.c.id).where(jobs.c.parent.is_(None), jobs.c.state.in_(ENDED))
        with self.database.reading() as connection:
            found = connection.execute(ended.order_by(jobs.c.number.desc()).offset(most))
            return list(found.scalars())

    def counts(self) -> dict[str, int]:
        """How many jobs, cells included, are in each state."""
        with self.database.reading() as connection:
            rows = connection.execute(select(jobs.c.state, func.count()).group_by(jobs.c.state))
            return {row[0]: row[1] for row in rows}

    def pause(self, paused: bool) -> None:
        """Whether jobs that wait go on waiting; kept over restarts."""
        with self.database.writing() as connection:
            connection.execute(delete(settings).where(settings.c.name == "paused"))
            connection.execute(insert(settings).values(name="paused", value=paused))

    @property
    def paused(self) -> bool:
        with self.database.reading() as connection:
            return _paused(connection)

    def hold(self, id: str, digests: Sequence[str]) -> None:
        """Note that a job names files, which stay as long as it does."""
        with self.database.writing() as connection:
            self._hold(connection, id, digests)

    def _hold(self, connection: Connection, id: str, digests: Sequence[str]) -> None:
        known = select(files.c.digest).where(files.c.digest.in_(digests))
        for digest in set(connection.execute(known).scalars()):
            row = {"job": id, "digest": digest}
            connection.execute(insert(job_files).prefix_with("OR IGNORE").values(**row))

    def note(self, id: str, nodes: Mapping[str, Mapping[str, Any]]) -> None:
        """Keep how the nodes of a running job do: who comes later sees it too."""
        with self.database.writing() as connection:
            connection.execute(update(jobs).where(jobs.c.id == id).values(nodes=dict(nodes)))

    def tell(self, id: str, told: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Log what happened in a job."""
        with self.database.writing() as connection:
            for event, data in told:
                self.log.add(connection, JOB + id, event, data)


def _row(wanted: Wanted, more: Mapping[str, Any]) -> dict[str, Any]:
    """A new job as a row."""
    row = {"id": secrets.token_hex(8), "kind": wanted.kind, "lane": wanted.lane, "state": "queued"}
    row |= {"title": wanted.title, "request": dict(wanted.request), "seeds": dict(wanted.seeds)}
    return {**row, "attempt": 0, **more}


def _behind(connection: Connection, now: float, priority: int) -> float:
    """The place behind all of a priority, also where the clock of the machine was put back."""
    newest = connection.execute(select(func.max(jobs.c.created))).scalar() or now
    return max(now, newest) - PRIORITY * priority


def _job(connection: Connection, id: str) -> Job:
    row = connection.execute(select(*_COLUMNS).where(jobs.c.id == id)).first()
    if row is None:
        raise KeyError(id)
    return Job(*row)


def _children(connection: Connection, id: str) -> list[Job]:
    wanted = select(*_COLUMNS).where(jobs.c.parent == id).order_by(jobs.c.cell)
    return [Job(*row) for row in connection.execute(wanted)]


def _queue(connection: Connection) -> list[Job]:
    wanted = select(*_COLUMNS).where(*_WAITING).order_by(jobs.c.position, jobs.c.number)
    return [Job(*row) for row in connection.execute(wanted)]


def _states(connection: Connection, parent: str) -> dict[str, int]:
    wanted = select(jobs.c.state, func.count()).where(jobs.c.parent == parent)
    rows = connection.execute(wanted.group_by(jobs.c.state)).all()
    return {row[0]: row[1] for row in rows}


def _count(connection: Connection, *where: Any) -> int:
    return connection.execute(select(func.count()).select_from(jobs).where(*where)).scalar() or 0


def _paused(connection: Connection) -> bool:
    wanted = select(settings.c.value).where(settings.c.name == "paused")
    return bool(connection.execute(wanted).scalar())


def _parentage(job: Job) -> dict[str, Any]:
    return {"parent": job.parent, "cell": job.cell}


def _about(more: Mapping[str, Any]) -> dict[str, Any]:
    """Which sweep a job belongs to, for its events."""
    return {name: more[name] for name in ("parent", "cell") if more.get(name) is not None}
