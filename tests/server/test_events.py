"""The stream of events: in order, from anywhere, for many readers, one of which may be stuck."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import pytest
from serving import TOKEN, heard

from server.app import application
from server.settings import Limits, Settings

KEY = {"authorization": f"Bearer {TOKEN}"}
Told = tuple[int, str, dict[str, Any]]


@pytest.fixture(scope="module")
def port(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a server that listens, as browsers find it."""
    given = replace(settings, state=tmp_path_factory.mktemp("listening"), limits=Limits(rows=40))
    with heard(application(given)) as found:
        yield found


def call(port: int, method: str, path: str, body: object = None) -> Any:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {**KEY, "content-type": "application/json"}
    connection.request(
        method, f"/api/v1{path}", None if body is None else json.dumps(body), headers
    )
    content = connection.getresponse().read()
    connection.close()
    return json.loads(content) if content else None


@contextmanager
def reading(port: int, query: str, headers: dict[str, str] = KEY) -> Iterator[HTTPResponse]:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", f"/api/v1/events?{query}", headers={**KEY, **headers})
    yield connection.getresponse()
    if connection.sock is not None:
        connection.sock.shutdown(socket.SHUT_RDWR)
    connection.close()


def told(stream: HTTPResponse, until: str) -> list[Told]:
    """The events of a stream up to one."""
    found: list[Told] = []
    fields: dict[str, str] = {}
    while not (found and found[-1][1] == until):
        read = stream.readline()
        assert read, f"the stream ended after {found[-3:]}"
        line = read.decode().rstrip("\n")
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        else:
            if "event" in fields:
                found.append((int(fields["id"]), fields["event"], json.loads(fields["data"])))
            fields = {}
    return found


def run(port: int, **inputs: Any) -> str:
    return call(port, "POST", "/jobs", {"graph": "slow.yaml", "inputs": inputs})["id"]


def test_a_run_is_told_from_its_queueing_to_its_end(port: int) -> None:
    with reading(port, "jobs=*") as stream:
        assert stream.getheader("content-type", "").startswith("text/event-stream")
        job = run(port, steps=5, seconds=0.15)
        events = told(stream, "job.done")
    assert {data["job"] for _, _, data in events} == {job}
    names = [name for _, name, _ in events]
    assert names[:3] == ["job.queued", "job.started", "node.planned"]
    assert names[-3:] == ["node.finished", "output", "job.done"]
    steps = [data for _, name, data in events if name == "node.step"]
    assert [step["done"] for step in steps] == [1, 2, 3, 4, 5]
    losses = [data["loss"] for _, name, data in events if name == "metric"]
    assert losses[0] == 1.0 and losses == sorted(losses, reverse=True)
    numbers = [number for number, _, _ in events]
    assert numbers == sorted(set(numbers))


def test_a_stream_can_be_taken_up_again_anywhere(port: int) -> None:
    job = run(port, value="again")
    with reading(port, f"jobs={job}&since=0") as stream:
        events = told(stream, "job.done")
    for number in range(0, len(events) - 1, 3):
        headers = {"last-event-id": str(events[number][0])}
        with reading(port, f"jobs={job}", headers) as stream:
            assert told(stream, "job.done") == events[number + 1 :]


def test_readers_hear_what_they_asked_for(port: int) -> None:
    one, two = run(port, value="one"), run(port, value="two")
    with reading(port, f"jobs={two}&since=0") as stream:
        assert {data["job"] for _, _, data in told(stream, "job.done")} == {two}
    call(port, "GET", "/live/heard.yaml")
    with reading(port, "jobs=&live=heard.yaml&since=0") as stream:
        call(
            port,
            "POST",
            "/live/heard.yaml/updates",
            {"version": 0, "client": "me", "changes": [[0, "a"]]},
        )
        (update,) = told(stream, "live.update")
    assert update[2] == {"live": "heard.yaml", "version": 1, "client": "me", "changes": [[0, "a"]]}
    assert one


@pytest.mark.parametrize(
    ("query", "headers"), [(f"&since={2**62}", {}), ("", {"last-event-id": "9" * 20})]
)
def test_who_comes_from_another_database_hears_what_is_new(
    port: int, query: str, headers: dict[str, str]
) -> None:
    with reading(port, f"jobs=*{query}", headers) as stream:
        job = run(port, value="new")
        assert {data["job"] for _, _, data in told(stream, "job.done")} == {job}


def test_steps_are_folded_and_bounded(port: int) -> None:
    job = run(port, steps=300, seconds=0.001)
    with reading(port, f"jobs={job}&since=0") as stream:
        events = told(stream, "job.done")
    steps = [data["done"] for _, name, data in events if name == "node.step"]
    assert len(steps) < 60 and steps[-1] == 300
    slow = run(port, steps=60, seconds=0.12)
    with reading(port, f"jobs={slow}&since=0") as stream:
        events = told(stream, "job.done")
    names = [name for _, name, _ in events]
    assert names.count("gap") == 1 and names[-1] == "job.done" and "output" in names


def test_a_stuck_reader_and_one_that_leaves_hinder_nobody(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    stuck = [HTTPConnection("127.0.0.1", port) for _ in range(5)]
    for connection in stuck:
        connection.request("GET", "/api/v1/events?since=0", headers=KEY)
    for _ in range(3):
        with reading(port, "since=0") as stream:
            stream.readline()  # leaves in the middle of a burst
    job = run(port, value="free")
    with reading(port, f"jobs={job}&since=0") as stream:
        assert told(stream, "job.done")
    for connection in stuck:
        connection.close()
    assert not [r for r in caplog.records if r.levelname == "ERROR"]


def test_one_reader_too_many_is_refused(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from starlette.testclient import TestClient

    given = replace(
        settings, state=tmp_path_factory.mktemp("full"), limits=Limits(readers=0), workers=()
    )
    with TestClient(application(given), headers=KEY) as client:
        answer = client.get("/api/v1/events")
        assert answer.status_code == 429 and answer.json()["type"] == "too-many-readers"
