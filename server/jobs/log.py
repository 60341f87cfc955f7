"""What happened, in order, as rows with rising numbers: readers begin anywhere and miss nothing."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, insert, or_, select

from server.database import Database, events

JOB, LIVE = "job:", "live:"
CATALOGUE = "catalogue"
"""The topic of what all readers hear: there are other nodes, port types or shipped graphs."""


@dataclass(frozen=True, slots=True)
class Happened:
    """One event: its number, what it is about (`job:ID`, `live:PATH`, `catalogue`), its name and what it tells."""

    id: int
    topic: str
    event: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Readers:
    """What a reader wants to hear of: jobs by id (None: all), live documents by path."""

    jobs: Collection[str] | None = None
    live: Collection[str] = ()

    def clause(self) -> ColumnElement[bool]:
        """The condition on topics."""
        named = [JOB + job for job in self.jobs or ()] + [LIVE + path for path in self.live]
        wanted: list[ColumnElement[bool]] = [events.c.topic.in_((CATALOGUE, *named))]
        if self.jobs is None:
            wanted.append(events.c.topic.startswith(JOB))
        return or_(*wanted)


@dataclass(frozen=True, slots=True)
class Log:
    """The events of a database."""

    database: Database

    def add(self, connection: Connection, topic: str, event: str, data: Mapping[str, Any]) -> None:
        """Add an event to a transaction: it is told when what it tells of is kept."""
        row = {"topic": topic, "event": event, "data": dict(data), "time": time.time()}
        connection.execute(insert(events).values(**row))

    def add_all(
        self, connection: Connection, told: Sequence[tuple[str, str, Mapping[str, Any]]]
    ) -> None:
        """Add events to a transaction, each with its topic, in their order."""
        now = time.time()
        rows = [
            {"topic": topic, "event": event, "data": dict(data), "time": now}
            for topic, event, data in told
        ]
        connection.execute(insert(events), rows)

    def since(self, last: int, readers: Readers, most: int = 200) -> list[Happened]:
        """Events after a number, the oldest first."""
        columns = (events.c.id, events.c.topic, events.c.event, events.c.data)
        wanted = select(*columns).where(events.c.id > last, readers.clause())
        with self.database.reading() as connection:
            rows = connection.execute(wanted.order_by(events.c.id).limit(most))
            return [Happened(*row) for row in rows]

    def last(self) -> int:
        """The number of the newest event, 0 before the first."""
        with self.database.reading() as connection:
            return connection.execute(select(func.max(events.c.id))).scalar() or 0

    def newest(self, connection: Connection, topic: str, event: str) -> Mapping[str, Any] | None:
        """What was told last of something under a name."""
        where = (events.c.topic == topic, events.c.event == event)
        wanted = select(events.c.data).where(*where).order_by(events.c.id.desc()).limit(1)
        return connection.execute(wanted).scalar()

    def kept_steps(self, topic: str) -> dict[str, list[Mapping[str, Any]]]:
        """The steps of a job's nodes whose pictures are kept, in order; of several attempts those of the last."""
        kept = (events.c.event == "node.step") & events.c.data["kept"].as_boolean()
        return self._by_step(topic, kept, "done")

    def _by_step(
        self, topic: str, which: ColumnElement[bool], number: str
    ) -> dict[str, list[Mapping[str, Any]]]:
        wanted = select(events.c.data).where(events.c.topic == topic, which).order_by(events.c.id)
        found: dict[str, dict[int, Mapping[str, Any]]] = {}
        with self.database.reading() as connection:
            for step in connection.execute(wanted).scalars():
                found.setdefault(step["node"], {})[step[number]] = step
        return {node: [steps[done] for done in sorted(steps)] for node, steps in found.items()}

    def metrics(self, topic: str) -> dict[str, list[Mapping[str, Any]]]:
        """The numbers that a job's nodes told with their steps, in order; of several attempts those of the last."""
        return self._by_step(topic, events.c.event == "metric", "step")

    def forget_beyond(self, connection: Connection, topic: str, most: int) -> None:
        """Remove what was told of something, but for the newest."""
        ids = select(events.c.id).where(events.c.topic == topic).order_by(events.c.id.desc())
        oldest = ids.offset(most).limit(1).scalar_subquery()
        connection.execute(delete(events).where(events.c.topic == topic, events.c.id <= oldest))

    def forget(self, connection: Connection, topic: str) -> None:
        """Remove all that was told of something."""
        connection.execute(delete(events).where(events.c.topic == topic))
