"""The database of a server: one file of SQLite in its state folder. Only the server's own process writes it."""

import shutil
import sqlite3
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Engine,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
)

from server.bell import Bell

VERSION = 1
"""Of the schema."""
MIGRATIONS: Mapping[int, tuple[str, ...]] = {}
"""What makes a database of the next version of one of a version."""
schema = MetaData()

jobs = Table(
    "jobs",
    schema,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String, unique=True, nullable=False),
    Column("kind", String, nullable=False),
    Column("lane", String, nullable=False),
    Column("state", String, nullable=False),
    Column("position", Float, nullable=False),
    Column("title", Text, nullable=False),
    Column("request", JSON, nullable=False),
    Column("parent", String, ForeignKey("jobs.id", ondelete="CASCADE")),
    Column("cell", Integer),
    Column("key", String, unique=True),
    Column("body", String),
    Column("seeds", JSON, nullable=False),
    Column("created", Float, nullable=False),
    Column("started", Float),
    Column("ended", Float),
    Column("worker", String),
    Column("attempt", Integer, nullable=False, default=0),
    Column("outputs", JSON),
    Column("faults", JSON),
    Column("nodes", JSON),
    Column("versions", JSON),
    Column("thumbnail", String),
    Index("jobs_waiting", "lane", "state", "position"),
    Index("jobs_parent", "parent", "cell"),
    sqlite_autoincrement=True,
)

events = Table(
    "events",
    schema,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("topic", String, nullable=False),
    Column("event", String, nullable=False),
    Column("data", JSON, nullable=False),
    Column("time", Float, nullable=False),
    Index("events_topic", "topic", "id"),
    sqlite_autoincrement=True,
)

files = Table(
    "files",
    schema,
    Column("digest", String, primary_key=True),
    Column("media", String, nullable=False),
    Column("size", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("used", Float, nullable=False),
)

job_files = Table(
    "job_files",
    schema,
    Column("job", String, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("digest", String, ForeignKey("files.digest"), primary_key=True),
    Index("job_files_digest", "digest"),
)

live = Table(
    "live",
    schema,
    Column("path", String, primary_key=True),
    Column("text", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("saved", Text),
    Column("etag", String),
    Column("writer", String),
    Column("until", Float, nullable=False, default=0.0),
)

updates = Table(
    "updates",
    schema,
    Column("path", String, ForeignKey("live.path", ondelete="CASCADE"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("client", String, nullable=False),
    Column("changes", JSON, nullable=False),
)

saves = Table(
    "saves",
    schema,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("path", String, nullable=False),
    Column("text", Text, nullable=False),
    Column("etag", String, nullable=False),
    Column("time", Float, nullable=False),
    Index("saves_path", "path", "id"),
    sqlite_autoincrement=True,
)

settings = Table(
    "settings",
    schema,
    Column("name", String, primary_key=True),
    Column("value", JSON, nullable=False),
)


class NoDatabase(RuntimeError):
    """A state folder whose database cannot be used, for a reason that names the mend."""


@dataclass(frozen=True, slots=True)
class Database:
    """Reading and writing transactions; a writer waits for the others, readers for nobody. Its bell rings after each write."""

    engine: Engine
    bell: Bell = field(default_factory=Bell)

    @contextmanager
    def reading(self) -> Generator[Connection]:
        """A transaction that sees one state of everything."""
        with self._transaction(immediate=False) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Generator[Connection]:
        """A transaction that is kept whole, or not at all."""
        with self._transaction(immediate=True) as connection:
            yield connection
        self.bell.ring()

    @contextmanager
    def _transaction(self, immediate: bool) -> Generator[Connection]:
        with self.engine.connect().execution_options(immediate=immediate) as connection:
            try:
                with connection.begin():
                    yield connection
            except BaseException:
                # A cursor that was not read to its end would keep what it saw, and no later write could begin there.
                connection.invalidate()
                raise

    def close(self) -> None:
        """Give its files back."""
        self.engine.dispose()


def opened(
    path: Path, migrations: Mapping[int, tuple[str, ...]] = MIGRATIONS, version: int = VERSION
) -> Database:
    """The database of a file, made or brought to the version of this program. Raises NoDatabase.

    A file of an older version is copied beside itself before it is changed; one of a newer version is refused.
    """
    try:
        _prepare(path, migrations, version)
    except (sqlite3.Error, OSError) as error:
        mend = "name another folder with --state, on a disk of this machine"
        raise NoDatabase(f"{path} cannot be used: {error}; {mend}") from None
    # Prompts are parameters: an error that names them would bring them into the log.
    engine = create_engine(
        f"sqlite:///{path}", connect_args={"timeout": 30.0}, hide_parameters=True
    )
    event.listen(engine, "connect", _connected)
    event.listen(engine, "begin", _begun)
    return Database(engine)


def _connected(connection: sqlite3.Connection, _: Any) -> None:
    connection.isolation_level = None  # transactions begin where `_begun` says so
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = NORMAL")


def _begun(connection: Connection) -> None:
    immediate = connection.get_execution_options().get("immediate")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _prepare(path: Path, migrations: Mapping[int, tuple[str, ...]], version: int) -> None:
    path.touch(0o600)  # what SQLite makes beside it is as private
    _choose_journal(path)
    with closing(_plain(path)) as connection:
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        if found > version:
            mend = "update the program, or name another folder with --state"
            raise NoDatabase(f"{path} was written by a newer version of this program; {mend}")
        if 0 < found < version:
            _migrate(connection, path, found, migrations, version)
    if found == 0:
        _create(path, version)


def _plain(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=30.0, isolation_level=None)


def _choose_journal(path: Path) -> None:
    """A write-ahead log where the file system can hold one, else a journal; either is tried by writing."""
    try:
        _try_journal(path, "wal")
    except sqlite3.OperationalError:
        _try_journal(path, "truncate")


def _try_journal(path: Path, mode: str) -> None:
    with closing(_plain(path)) as connection:
        if mode != "wal":
            # The file says by now that it has such a log; who has it alone needs no shared memory to read it.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute(f"PRAGMA journal_mode = {mode}")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("CREATE TABLE IF NOT EXISTS probe (x)")
        connection.execute("DROP TABLE probe")
        connection.execute("COMMIT")


def _create(path: Path, version: int) -> None:
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        schema.create_all(connection)
        connection.exec_driver_sql(f"PRAGMA user_version = {version}")
    engine.dispose()


def _migrate(
    connection: sqlite3.Connection,
    path: Path,
    found: int,
    migrations: Mapping[int, tuple[str, ...]],
    version: int,
) -> None:
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy2(path, path.with_name(f"{path.stem}-version-{found}{path.suffix}"))
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in range(found, version):
            for statement in migrations[step]:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {version}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
