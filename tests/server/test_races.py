"""Many at once, and what happens meanwhile: one wins, nothing is lost, nothing grows without end."""

import errno
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from serving import SCENE
from sqlalchemy import event, func, select
from starlette.testclient import TestClient

from server import database
from server.app import application
from server.database import NoDatabase
from server.jobs.job import End
from server.jobs.log import LIVE, Readers
from server.live import UPDATES
from server.services import Services
from server.settings import Limits, Settings

Other = Callable[..., TestClient]
API = "/api/v1"
JOBS = f"{API}/jobs"
MANY = 20


def parts(client: TestClient) -> Services:
    return client.app.state.services  # type: ignore[attr-defined]


def at_once(call: Callable[[int], Any]) -> list[Any]:
    with ThreadPoolExecutor(MANY) as pool:
        return list(pool.map(call, range(MANY)))


def test_one_key_is_one_job(other: Other) -> None:
    client, body = other(), {"graph": "slow.yaml"}
    found = at_once(lambda _: client.post(JOBS, json=body, headers={"idempotency-key": "k"}))
    assert sorted(answer.status_code for answer in found) == [200] * (MANY - 1) + [201]
    assert len({answer.json()["id"] for answer in found}) == 1
    assert len(client.get(JOBS).json()["jobs"]) == 1


def test_one_of_many_saves_wins_and_the_others_see_it(other: Other, folder: Path) -> None:
    client, path = other(), f"{API}/graphs/raced.yaml"
    new = {"if-none-match": "*"}
    made = at_once(lambda n: client.put(path, json={"text": f"# {n}\n"}, headers=new))
    assert sorted(answer.status_code for answer in made) == [201] + [412] * (MANY - 1)
    tag = {"if-match": client.get(path).headers["etag"]}
    saved = at_once(lambda n: client.put(path, json={"text": f"# again {n}\n"}, headers=tag))
    assert sorted(answer.status_code for answer in saved) == [200] + [412] * (MANY - 1)
    kept = (folder / "raced.yaml").read_text()
    assert {a.json()["theirs"] for a in saved if a.status_code == 412} == {kept}
    assert len(client.get(f"{path}/saves").json()) == 2
    (folder / "raced.yaml").unlink()


def test_one_of_many_changes_of_a_version_counts(other: Other) -> None:
    client, path = other(), f"{API}/live/raced.yaml"
    client.get(path)

    def change(number: int) -> int:
        body = {"version": 0, "client": "me", "changes": [[0, str(number)]]}
        return client.post(f"{path}/updates", json=body).status_code

    assert sorted(at_once(change)) == [200] + [409] * (MANY - 1)
    assert client.get(path).json()["version"] == 1
    taken = at_once(
        lambda n: client.post(f"{path}/writer", json={"client": f"{n}", "take": False}).status_code
    )
    assert set(taken) == {409}  # it is still "me" who writes


def test_hostile_changes_change_nothing(other: Other) -> None:
    client, path = other(Limits(text=1000)), f"{API}/live/hostile.yaml"
    client.get(path)
    hostile: list[list[Any]] = [
        [[0, "x" * 1001]],
        [[0] * 20_000],
        [[0, *["x"] * 19_000]],
        [2**31],
        [-1],
        [True],
        [None],
        [[[]]],
        [[0, "a\nb"]],
        [1e300],
        [0] * 20_001,
    ]
    for changes in hostile:
        body = {"version": 0, "client": "me", "changes": changes}
        answer = client.post(f"{path}/updates", json=body)
        assert answer.status_code in (413, 422), (str(changes)[:50], answer.text[:200])
    assert client.get(path).json() | {"writer": None} == client.get(path).json() | {
        "writer": None,
        "version": 0,
        "text": "",
    }


def test_one_server_has_a_state_folder(other: Other, settings: Settings, tmp_path: Path) -> None:
    other(state=tmp_path / "one")
    with pytest.raises(NoDatabase, match="another server works with"):
        application(replace(settings, state=tmp_path / "one"))


def test_a_state_folder_that_cannot_be_written_is_refused(
    settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NoDatabase, match="name another folder with --state"):
        application(replace(settings, state=tmp_path / "file" / "state"))


def test_what_is_kept_is_its_owners_alone(other: Other, tmp_path: Path) -> None:
    state = tmp_path / "open"
    state.mkdir(mode=0o755)
    client = other(state=state)
    client.post(f"{API}/uploads", files={"file": ("a.txt", b"a")})
    names = {p.name for p in state.iterdir()}
    assert {"server.sqlite", "files"} <= names
    for path in (p for p in state.iterdir() if p.name != "lock"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_one_job_more_than_there_is_room_for(other: Other) -> None:
    client = other(Limits(queued=MANY // 2))
    found = at_once(lambda _: client.post(JOBS, json={"graph": "slow.yaml"}).status_code)
    assert sorted(found) == [201] * (MANY // 2) + [429] * (MANY // 2)


def test_a_thousand_cells_are_cancelled_as_one(other: Other) -> None:
    client = other()
    made = client.post(
        JOBS, json={"graph": "slow.yaml", "each": {"value": list(map(str, range(1000)))}}
    )
    id = made.json()["id"]
    assert client.post(f"{JOBS}/{id}/cancel").json()["state"] == "cancelled"
    rows = client.get(f"{JOBS}/{id}/table").json()
    assert [row["state"] for row in rows] == ["cancelled"] * 1000
    assert client.get(f"{API}/health").json()["queue"]["jobs"] == {"cancelled": 1001}
    told: list[str] = []
    last, log = 0, parts(client).log
    while happened := log.since(last, Readers()):
        last = happened[-1].id
        told += [one.event for one in happened]
    assert (told.count("job.queued"), told.count("job.cancelled")) == (1001, 1001)
    assert told[-1] == "job.cancelled"
    sheet = client.get(f"{JOBS}/{id}/sheet")
    assert sheet.status_code == 404
    assert client.delete(f"{JOBS}/{id}").status_code == 204
    assert client.get(f"{API}/health").json()["queue"]["jobs"] == {}


def test_a_sheet_has_a_bound(other: Other) -> None:
    client = other()
    values = list(map(str, range(1001)))
    id = client.post(JOBS, json={"graph": "slow.yaml", "each": {"value": values}}).json()["id"]
    answer = client.get(f"{JOBS}/{id}/sheet")
    assert (answer.status_code, answer.json()["type"]) == (422, "too-many-cells")


def test_a_sweep_lives_as_long_as_a_cell_of_it_runs(other: Other) -> None:
    client = other()
    jobs = parts(client).jobs
    id = client.post(JOBS, json={"graph": "slow.yaml", "each": {"value": ["a", "b"]}}).json()["id"]
    for _ in range(2):
        claimed = jobs.claim("device", "cpu")
        assert claimed is not None
        jobs.end(claimed.id, End("failed"))
    cell = client.get(f"{JOBS}/{id}").json()["cells"][0]["id"]
    assert client.delete(f"{JOBS}/{cell}").json()["type"] == "wrong-state"  # a sheet would miss it
    assert client.post(f"{JOBS}/{cell}/retry").status_code == 202
    assert client.get(f"{JOBS}/{id}").json()["state"] == "queued"
    running = jobs.claim("device", "cpu")
    assert running is not None and running.id == cell
    assert client.get(f"{JOBS}/{id}").json()["state"] == "running"
    assert client.delete(f"{JOBS}/{id}").json()["type"] == "wrong-state"
    jobs.hold(cell, [])
    jobs.end(cell, End("done"))
    assert client.get(f"{JOBS}/{id}").json()["state"] == "done"
    assert client.delete(f"{JOBS}/{id}").status_code == 204


def test_a_clock_that_is_put_back_changes_no_order(
    other: Other, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, now = other(), time.time
    made: list[str] = []
    for shift in (0.0, -86_400.0, 86_400.0, -3 * 86_400.0):
        monkeypatch.setattr(time, "time", lambda shift=shift: now() + shift)
        made.append(client.post(JOBS, json={"graph": "slow.yaml"}).json()["id"])
    urgent = client.post(JOBS, json={"graph": "slow.yaml", "priority": 1}).json()["id"]
    claimed = [parts(client).jobs.claim("device", "cpu") for _ in range(5)]
    assert [job.id for job in claimed if job] == [urgent, *made]


def upload(client: TestClient, content: bytes) -> Any:
    return client.post(f"{API}/uploads", files={"file": ("a.txt", content)})


PICTURE = "graph: 1\ninputs: {image: {type: Image}}\nnodes: {}\noutputs: {image: $image}\n"


def scene(client: TestClient, side: int) -> Any:
    import io

    from PIL import Image

    made = io.BytesIO()
    Image.new("RGB", (side, side), (side, 0, 0)).save(made, "BMP")
    return client.post(f"{API}/uploads", files={"file": ("a.bmp", made.getvalue(), "image/bmp")})


def test_uploads_that_waiting_jobs_name_stay(other: Other) -> None:
    client = other(Limits(kept=4000))
    held, swept = scene(client, 8).json()["file"], scene(client, 9).json()["file"]
    inputs = {"image": {"file": held}}
    job = client.post(JOBS, json={"text": PICTURE, "inputs": inputs}).json()["id"]
    each = {"image": [{"file": swept}, {"file": held}]}
    sweep = client.post(JOBS, json={"text": PICTURE, "each": each}).json()["id"]
    for number in range(8):
        assert upload(client, bytes([number]) * 1500).status_code == 201
    for digest in (held, swept):
        assert client.get(f"{API}/files/{digest}").status_code == 200
    for id in (job, sweep):
        client.post(f"{JOBS}/{id}/cancel")
        assert client.delete(f"{JOBS}/{id}").status_code == 204
        assert client.get(f"{API}/files/{held}").status_code == 200  # somebody may use it elsewhere
    for number in range(8, 16):
        upload(client, bytes([number]) * 1500)
    assert client.get(f"{API}/files/{held}").status_code == 404


def test_an_upload_for_which_jobs_leave_no_room_is_refused(other: Other) -> None:
    client = other(Limits(kept=1000))
    held = scene(client, 16).json()["file"]
    client.post(JOBS, json={"text": PICTURE, "inputs": {"image": {"file": held}}})
    full = upload(client, b"x" * 500)
    assert (full.status_code, full.json()["type"]) == (507, "quota")
    assert client.get(f"{API}/files/{held}").status_code == 200
    parts(client).database.close()


def test_the_oldest_jobs_are_forgotten_with_what_came_out(other: Other) -> None:
    from server.history import tidy

    client = other()
    found = parts(client)
    made = [client.post(JOBS, json={"graph": "slow.yaml"}).json()["id"] for _ in range(5)]
    for number, id in enumerate(made[:4]):
        kept = found.files.add(bytes([number]), "out.bin")
        found.jobs.hold(id, [kept.digest])
        found.jobs.end(id, End("done", {"out": [{"file": kept.digest}]}))
    digests = [client.get(f"{JOBS}/{id}").json()["outputs"]["out"][0]["file"] for id in made[:4]]
    tidy(found.jobs, found.files, 2)
    assert [client.get(f"{JOBS}/{id}").status_code for id in made] == [404, 404, 200, 200, 200]
    found_files = [client.get(f"{API}/files/{digest}").status_code for digest in digests]
    assert found_files == [404, 404, 200, 200]


def events_of(client: TestClient, path: str) -> list[str]:
    table = database.events
    with parts(client).database.reading() as connection:
        rows = connection.execute(select(table.c.event).where(table.c.topic == LIVE + path))
        return list(rows.scalars())


def test_a_conflict_is_told_once(other: Other, folder: Path) -> None:
    client, path, file = other(), f"{API}/live/fought.yaml", folder / "fought.yaml"
    file.write_text("one\n", "utf-8")
    client.get(path)
    client.post(f"{path}/updates", json={"version": 0, "client": "me", "changes": [4, [0, "mine"]]})
    for text in ("two\n", "three\n"):
        file.write_text(text, "utf-8")
        for _ in range(5):
            client.get(path)
    assert events_of(client, "fought.yaml").count("live.conflict") == 2
    file.unlink()


def test_a_file_that_changes_is_seen_without_asking(other: Other, folder: Path) -> None:
    from server.app import _look

    client, file = other(), folder / "seen.yaml"
    file.write_text("one\n", "utf-8")
    client.get(f"{API}/live/seen.yaml")
    seen: dict[str, Any] = {}
    _look(parts(client), seen)
    file.write_text("other\n", "utf-8")
    _look(parts(client), seen)
    (draft,) = parts(client).live.drafts()
    assert (draft.text, draft.version) == ("other\n", 1)
    file.unlink()
    _look(parts(client), seen)
    assert parts(client).live.drafts()[0].text == "other\n"


def test_discarding_is_an_update_that_all_hear_of(other: Other, folder: Path) -> None:
    client, path, file = other(), f"{API}/live/gone.yaml", folder / "gone.yaml"
    file.write_text("file\n", "utf-8")
    client.get(path)
    client.post(f"{path}/updates", json={"version": 0, "client": "me", "changes": [5, [0, "mine"]]})
    again = client.post(f"{path}/discard").json()
    assert (again["text"], again["version"], again["unsaved"]) == ("file\n", 2, False)
    late = {"version": 1, "client": "me", "changes": [9, [0, "late"]]}
    assert client.post(f"{path}/updates", json=late).status_code == 409
    assert [u["version"] for u in client.get(f"{path}/updates?since=0").json()] == [1, 2]
    file.unlink()


def test_what_is_told_of_a_document_has_an_end(
    other: Other, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.live.UPDATES", 150)
    client = other()
    client.get(f"{API}/live/long.yaml")
    for version in range(400):
        parts(client).live.change("long.yaml", version, "me", [[min(version, 1), "x"]])
    assert 150 <= len(events_of(client, "long.yaml")) <= 251 and UPDATES > 150
    with parts(client).database.reading() as connection:
        kept = connection.execute(select(func.count()).select_from(database.updates)).scalar()
    assert kept == 150


@contextmanager
def small(client: TestClient) -> Iterator[None]:
    """No more room for a database than it has already, as on a disk that is full."""
    engine = parts(client).database.engine

    def limit(connection: sqlite3.Connection, _: object) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")

    event.listen(engine, "connect", limit)
    engine.dispose()
    yield
    event.remove(engine, "connect", limit)
    engine.dispose()


def test_a_full_disk_is_told_and_is_survived(
    other: Other, caplog: pytest.LogCaptureFixture
) -> None:
    client = other()
    quiet = TestClient(client.app, raise_server_exceptions=False, headers=dict(client.headers))
    body = {"text": SCENE.replace("a scene", "hush " * 9000), "inputs": {"caption": "a red circle"}}
    with small(client):
        full = [quiet.post(JOBS, json=body) for _ in range(3)]
        assert [(a.status_code, a.json()["type"]) for a in full] == [(507, "disk-full")] * 3
        assert (
            quiet.get(JOBS).json()["jobs"] == [] and quiet.get(f"{API}/health").status_code == 200
        )
    assert quiet.post(JOBS, json=body).status_code == 201
    assert "no room" in caplog.text and "hush" not in caplog.text


def test_an_upload_for_which_a_disk_has_no_room_is_no_mistake_of_its_sender(
    other: Other, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", full)
    client = other()
    answer = upload(client, b"x" * 2**21)
    assert (answer.status_code, answer.json()["type"]) == (507, "disk-full")
    assert upload(client, b"x" * 2**10).status_code == 201


def test_no_error_brings_prompts_or_tokens_into_the_log(
    other: Other, caplog: pytest.LogCaptureFixture
) -> None:
    from serving import TOKEN

    client = other()
    quiet = TestClient(client.app, raise_server_exceptions=False, headers=dict(client.headers))
    with parts(client).database.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE jobs RENAME COLUMN seeds TO spoiled")
    body = {"text": SCENE, "inputs": {"caption": "a red circle hush"}}
    assert quiet.post(JOBS, json=body).status_code == 500
    assert "OperationalError" in caplog.text
    assert "hush" not in caplog.text and TOKEN not in caplog.text


def test_what_goes_on_beside_outlives_its_errors(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from server import app

    called: list[int] = []

    def broken(*_: object) -> None:
        called.append(1)
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(app, "_look", broken)
    monkeypatch.setattr(app, "tidy", broken)
    monkeypatch.setattr(app, "LOOK", 0.01)
    given = replace(settings, state=tmp_path / "beside", workers=())
    with TestClient(application(given)):
        until = time.monotonic() + 10
        while len(called) < 5 and time.monotonic() < until:
            time.sleep(0.01)
    assert len(called) >= 5  # and the server stopped in order
