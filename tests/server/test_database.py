"""The database of a server: made, brought to a newer version, or refused."""

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select

from server.database import VERSION, NoDatabase, events, opened

ROW = {"topic": "job:a", "event": "b", "data": {}, "time": 0.0}


def test_a_database_is_made_with_a_write_ahead_log(tmp_path: Path) -> None:
    path = tmp_path / "server.sqlite"
    opened(path).close()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
    connection.close()


def test_where_no_write_ahead_log_can_be_another_journal_is_taken(tmp_path: Path) -> None:
    """A folder lies where SQLite wants its shared memory, so that it fails as on a disk of a network."""
    path = tmp_path / "server.sqlite"
    (tmp_path / "server.sqlite-shm").mkdir()
    database = opened(path)
    with database.writing() as connection:
        connection.execute(insert(events).values(**ROW))
    with database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(events)).scalar() == 1
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() in ("truncate", "delete")
    database.close()
    again = opened(path)  # also a database that is there already
    with again.reading() as connection:
        assert connection.execute(select(func.count()).select_from(events)).scalar() == 1
    again.close()


def test_where_no_journal_can_be_the_folder_is_refused_with_a_mend(tmp_path: Path) -> None:
    for name in ("server.sqlite-shm", "server.sqlite-journal"):
        (tmp_path / name).mkdir()
    with pytest.raises(NoDatabase, match="unable to open database file; name another folder"):
        opened(tmp_path / "server.sqlite")


def test_an_older_one_is_copied_and_migrated(tmp_path: Path) -> None:
    path = tmp_path / "server.sqlite"
    opened(path).close()
    steps = {VERSION: ("ALTER TABLE events ADD COLUMN more TEXT",)}
    opened(path, steps, VERSION + 1).close()
    connection = sqlite3.connect(path)
    assert "more" in [row[1] for row in connection.execute("PRAGMA table_info(events)")]
    connection.close()
    copy = sqlite3.connect(tmp_path / f"server-version-{VERSION}.sqlite")
    assert copy.execute("PRAGMA user_version").fetchone() == (VERSION,)
    copy.close()
    with pytest.raises(NoDatabase, match="newer version"):
        opened(path)


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "server.sqlite"
    opened(path).close()
    steps = {VERSION: ("CREATE TABLE half (x)", "NO SQL")}
    with pytest.raises(NoDatabase):
        opened(path, steps, VERSION + 1)
    connection = sqlite3.connect(path)
    assert not connection.execute("SELECT * FROM sqlite_master WHERE name = 'half'").fetchall()
    connection.close()
    opened(path).close()


def test_what_is_no_database_is_refused_with_a_mend(tmp_path: Path) -> None:
    (tmp_path / "server.sqlite").write_bytes(b"this is no database, and it is long enough" * 50)
    with pytest.raises(NoDatabase, match="--state"):
        opened(tmp_path / "server.sqlite")
    with pytest.raises(NoDatabase, match="--state"):
        opened(tmp_path / "none" / "server.sqlite")


def test_a_failure_leaves_nothing_of_its_writes_and_no_lock(tmp_path: Path) -> None:
    database = opened(tmp_path / "server.sqlite")
    with database.writing() as connection:
        connection.execute(insert(events), [ROW] * 5)
    kept: list[object] = []
    with pytest.raises(RuntimeError), database.reading() as connection:
        kept.append(connection.execute(select(events)))  # a cursor that nobody reads to its end
        raise RuntimeError
    for _ in range(3):
        with pytest.raises(RuntimeError), database.writing() as connection:
            connection.execute(insert(events).values(**ROW))
            raise RuntimeError
    with database.writing() as connection:
        assert connection.execute(select(func.count()).select_from(events)).scalar() == 5
    database.close()


def test_the_bell_rings_after_what_was_written(tmp_path: Path) -> None:
    database = opened(tmp_path / "server.sqlite")
    seen = database.bell.count
    with database.writing() as connection:
        connection.execute(insert(events).values(**ROW))
        assert database.bell.count == seen
    assert database.bell.wait(seen, 0.0) == seen + 1
    with database.reading():
        pass
    assert database.bell.wait(seen + 1, 0.01) == seen + 1
    database.close()
