"""Large texts wait for each other; small ones for nobody."""

import threading
from collections.abc import Callable

import pytest
from serving import SCENE
from starlette.testclient import TestClient

from server import turns
from server.problems import Problem

Other = Callable[..., TestClient]
LARGE = SCENE + "# " + "x" * turns.LARGE


def test_one_large_text_is_read_at_a_time_and_so_many_wait() -> None:
    found = turns.Turns()
    inside, most, lock = 0, 0, threading.Lock()
    begun, go = threading.Semaphore(0), threading.Event()

    def read() -> None:
        nonlocal inside, most
        with found.of(LARGE):
            with lock:
                inside += 1
                most = max(most, inside)
            begun.release()
            go.wait(30)
            with lock:
                inside -= 1

    threads = [threading.Thread(target=read) for _ in range(turns.MOST + 1)]
    for thread in threads:
        thread.start()
    begun.acquire()
    with found.of(SCENE):
        pass  # a small one goes between
    while found._room._value:  # pyright: ignore[reportAttributeAccessIssue, reportPrivateUsage]
        pass
    with pytest.raises(Problem) as refusal, found.of(LARGE):
        pass
    assert refusal.value.status == 503 and refusal.value.headers == {"retry-after": "2"}
    go.set()
    for thread in threads:
        thread.join(30)
    assert most == 1
    with found.of(LARGE):
        pass


def test_requests_with_large_texts_are_refused_and_others_answered(other: Other) -> None:
    client = other()
    found = client.app.state.services.turns  # type: ignore[attr-defined]
    body = {"path": "scene.yaml", "text": LARGE, "version": 1}
    asked = (
        ("check", body),
        ("plan", {"path": "scene.yaml", "text": LARGE}),
        ("jobs", {"text": LARGE}),
        ("format", {"text": LARGE}),
    )
    for path, given in asked[:1] + asked[3:]:
        assert client.post(f"/api/v1/{path}", json=given).status_code == 200
    taken = [found._room.acquire() for _ in range(turns.MOST + 1)]
    for path, given in asked:
        answer = client.post(f"/api/v1/{path}", json=given)
        assert (answer.status_code, answer.json()["type"]) == (503, "busy")
    assert client.post("/api/v1/check", json={**body, "text": SCENE}).status_code == 200
    for _ in taken:
        found._room.release()
    assert client.post("/api/v1/jobs", json=asked[2][1]).status_code == 201
