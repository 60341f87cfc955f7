"""Live documents, and the change sets of their updates."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from server.changes import BadChange, changed, difference
from server.live import LEASE

Other = Callable[..., TestClient]
LIVE = "/api/v1/live"
TEXTS = st.text(st.sampled_from("ab\n🙂é\r"), max_size=30)


@given(TEXTS, TEXTS)
def test_a_difference_makes_one_text_of_another(old: str, new: str) -> None:
    assert changed(old, difference(old, new)) == new


@given(TEXTS, TEXTS)
def test_a_difference_touches_what_differs_alone(old: str, new: str) -> None:
    parts = difference(old, new)
    assert sum(isinstance(part, list) for part in parts) == (old != new)


def test_parts_count_in_utf_16_and_lines_are_joined() -> None:
    assert changed("a🙂b", [1, [2, "x", "y"], 1]) == "ax\nyb"
    assert changed("ab", [[0, "🙂"], 2]) == "🙂ab"
    assert changed("ab", [2, [0, "", ""]]) == "ab\n"
    assert changed("", []) == ""


@pytest.mark.parametrize(
    "parts",
    [
        [1],
        [4],
        [2, [2]],
        [-1, 4],
        [True, 2],
        ["x"],
        [[]],
        [[1, 2], 2],
        [3, [0, "a\nb"]],
        [3, [0, "\ud83d"]],
        [None],
        [1.0, 2],
    ],
)
def test_what_is_no_change_set_of_a_text_is_refused(parts: list[object]) -> None:
    with pytest.raises(BadChange):
        changed("abc", parts)


def test_a_character_is_not_torn() -> None:
    with pytest.raises(BadChange, match="within a character"):
        changed("🙂", [1, [1]])


def test_a_document_is_written_by_one_and_read_by_all(other: Other, folder: Path) -> None:
    client, path = other(), f"{LIVE}/draft.yaml"
    (folder / "draft.yaml").write_text("ab\n", "utf-8")
    opened = client.get(path).json()
    assert (opened["text"], opened["version"], opened["unsaved"], opened["writer"]) == (
        "ab\n",
        0,
        False,
        None,
    )
    one = {"version": 0, "client": "one", "changes": [1, [1, "B"], 1]}
    assert client.post(f"{path}/updates", json=one).json() == {"version": 1, "unsaved": True}
    stale = client.post(f"{path}/updates", json=one)
    assert (
        stale.status_code == 409
        and stale.json()["type"] == "stale"
        and stale.json()["version"] == 1
    )
    two = {**one, "version": 1, "client": "two", "changes": [3, [0, "c"]]}
    refused = client.post(f"{path}/updates", json=two)
    assert refused.status_code == 409 and refused.json()["writer"] == "one"
    assert client.post(f"{path}/writer", json={"client": "two"}).status_code == 409
    assert (
        client.post(f"{path}/writer", json={"client": "two", "take": True}).json()["writer"]
        == "two"
    )
    assert client.post(f"{path}/updates", json=two).json()["version"] == 2
    assert client.get(path).json()["text"] == "aB\nc"
    assert [u["client"] for u in client.get(f"{path}/updates?since=0").json()] == ["one", "two"]
    assert client.get(f"{path}/updates?since=5").status_code == 410
    bad = {**two, "version": 2, "changes": [1]}
    assert client.post(f"{path}/updates", json=bad).json()["type"] == "bad-change"
    assert client.get(path).json()["version"] == 2
    assert (folder / "draft.yaml").read_text() == "ab\n"  # only saving writes the file
    (folder / "draft.yaml").unlink()


def test_a_lease_ends(other: Other, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client, path = other(), f"{LIVE}/lease.yaml"
    client.get(path)
    assert client.post(f"{path}/writer", json={"client": "one"}).status_code == 200
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + LEASE + 1)
    assert client.post(f"{path}/writer", json={"client": "two"}).json()["writer"] == "two"


def test_saving_settles_a_draft_and_discarding_drops_it(other: Other, folder: Path) -> None:
    client, path = other(), f"{LIVE}/settled.yaml"
    (folder / "settled.yaml").write_bytes(b"a\r\nb\r\n")
    opened = client.get(path).json()
    assert opened["text"] == "a\nb\n"
    client.post(
        f"{path}/updates", json={"version": 0, "client": "me", "changes": [4, [0, "c", ""]]}
    )
    assert client.get(path).json()["unsaved"]
    headers = {"if-match": opened["etag"]}
    saved = client.put(
        "/api/v1/graphs/settled.yaml", json={"text": "a\r\nb\r\nc\r\n"}, headers=headers
    )
    assert saved.status_code == 200 and not client.get(path).json()["unsaved"]
    client.post(f"{path}/updates", json={"version": 1, "client": "me", "changes": [[6, "x"]]})
    assert client.post(f"{path}/discard").json()["text"] == "a\nb\nc\n"
    (folder / "settled.yaml").unlink()


def test_a_document_is_saved_with_the_line_ends_of_its_file(other: Other, folder: Path) -> None:
    client, path, file = other(), f"{LIVE}/ends.yaml", folder / "ends.yaml"
    for before, after in (
        (b"a\r\nb\r\n", b"a\r\nb\r\nc\r\n"),
        (b"a\n", b"a\nc\n"),
        (b"a\r\nb\n", b"a\r\nb\nc\n"),
    ):
        file.write_bytes(before)
        opened = client.get(path).json()
        at, tag = opened["version"], {"if-match": opened["etag"]}
        change = [len(opened["text"]), [0, "c", ""]]
        body = {"version": at, "client": "me", "changes": change}
        assert client.post(f"{path}/updates", json=body).status_code == 200
        assert (
            client.post(f"{path}/save", json={"version": at}, headers=tag).json()["type"] == "stale"
        )
        wanted = {"version": at + 1}
        assert client.post(f"{path}/save", json=wanted).status_code == 428
        saved = client.post(f"{path}/save", json=wanted, headers=tag)
        assert saved.status_code == 200 and file.read_bytes() == after
        assert saved.headers["etag"] == client.get("/api/v1/graphs/ends.yaml").headers["etag"]
        assert not client.get(path).json()["unsaved"]
        assert client.post(f"{path}/save", json=wanted, headers=tag).status_code == 412
    file.unlink()
    assert (
        client.post(f"{path}/save", json=wanted, headers={"if-none-match": "*"}).status_code == 200
    )
    assert file.read_bytes() == after
    file.unlink()


def test_a_change_on_disk_is_an_update_or_a_conflict(other: Other, folder: Path) -> None:
    client, path, file = other(), f"{LIVE}/disk.yaml", folder / "disk.yaml"
    file.write_text("one\n", "utf-8")
    client.get(path)
    file.write_text("two\n", "utf-8")
    assert (client.get(path).json()["text"], client.get(path).json()["version"]) == ("two\n", 1)
    client.post(f"{path}/updates", json={"version": 1, "client": "me", "changes": [4, [0, "mine"]]})
    file.write_text("three\n", "utf-8")
    opened = client.get(path).json()
    assert opened["text"] == "two\nmine" and opened["unsaved"]  # nothing of the draft is lost
    events = client.app.state.services.log.since(0, _reader("disk.yaml"))  # type: ignore[attr-defined]
    assert [e.event for e in events].count("live.conflict") >= 1
    file.unlink()


def test_a_file_that_is_deleted_leaves_its_draft(other: Other, folder: Path) -> None:
    client, place = other(), folder / "gone.yaml"
    place.write_text("graph: 1\n")
    assert not client.get(f"{LIVE}/gone.yaml").json()["unsaved"]
    place.unlink()
    left = client.get(f"{LIVE}/gone.yaml").json()
    assert (left["text"], left["unsaved"]) == ("graph: 1\n", True)
    assert client.get(f"{LIVE}/gone.yaml").json() == left
    body = {"version": left["version"]}
    saved = client.post(f"{LIVE}/gone.yaml/save", json=body, headers={"If-None-Match": "*"})
    assert saved.status_code in (200, 201)
    assert place.read_text() == "graph: 1\n"


def test_a_draft_outlives_its_server(other: Other, folder: Path, tmp_path: Path) -> None:
    state = tmp_path / "kept"
    (folder / "kept.yaml").write_text("a", "utf-8")
    client = other(state=state)
    client.get(f"{LIVE}/kept.yaml")
    client.post(
        f"{LIVE}/kept.yaml/updates", json={"version": 0, "client": "me", "changes": [1, [0, "b"]]}
    )
    client.__exit__(None, None, None)
    again = other(state=state)
    assert again.get(f"{LIVE}/kept.yaml").json()["text"] == "ab"
    assert again.get(LIVE).json() == [{"path": "kept.yaml", "version": 1, "unsaved": True}]
    (folder / "kept.yaml").unlink()


def _reader(path: str) -> object:
    from server.jobs.log import Readers

    return Readers((), (path,))
