"""Large texts are judged in a process beside, in the same words as small ones here; small ones wait for nobody."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from serving import SCENE
from starlette.testclient import TestClient

from server import asking
from server.checking import Checker
from server.problems import Problem
from server.services import LARGE_TEXTS, Services

Other = Callable[..., TestClient]
LARGE = SCENE + "# " + "x" * asking.LARGE
FAULTY = "graph: 1\nnodes: {a: {type: no_such_node, x: $b}}\noutputs: {i: $a}\n"
MANY = "graph: 1\nnodes:\n" + "".join(f"  n{i}: {{type: t}}\n" for i in range(2_001))
CHECKED = {"path": "scene.yaml", "version": 3}
ASKED: list[tuple[str, dict[str, Any]]] = [
    ("check", {**CHECKED, "text": SCENE}),
    ("check", {**CHECKED, "text": SCENE, "level": "shapes"}),
    ("check", {**CHECKED, "text": FAULTY}),
    ("check", {**CHECKED, "text": "nodes: [\n"}),
    ("check", {**CHECKED, "text": MANY}),
    ("check", {**CHECKED, "text": SCENE, "set": {"no.port": 1}}),
    ("plan", {"path": "scene.yaml", "text": FAULTY}),
    ("format", {"text": SCENE}),
    ("format", {"text": "nodes: [\n"}),
    ("edit", {"text": SCENE, "edits": [{"edit": "no_edit"}]}),
    ("edit", {"text": SCENE, "edits": [{"edit": "rename_node", "node": "none", "to": "b"}]}),
    ("jobs", {"text": FAULTY}),
    ("jobs", {"text": SCENE, "each": {"nothing": [1, 2]}}),
    ("jobs", {"text": SCENE, "inputs": {"no": 1}}),
]


@pytest.fixture
def client(other: Other) -> TestClient:
    return other()


def parts(client: TestClient) -> Services:
    return client.app.state.services  # type: ignore[attr-defined]


def test_both_processes_say_the_same(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[list[tuple[int, Any]]] = []
    for large in (2**30, 0):
        monkeypatch.setattr(asking, "LARGE", large)
        answers = [client.post(f"/api/v1/{path}", json=body) for path, body in ASKED]
        told.append([(answer.status_code, answer.json()) for answer in answers])
        assert parts(client).judge._child.alive is (large == 0)
    for (path, body), here, beside in zip(ASKED, *told, strict=True):
        assert here == beside, (path, body)
    assert {status for status, _ in told[0]} == {200, 422}


def test_jobs_are_the_same_wherever_they_were_judged(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = client.post("/api/v1/uploads", files={"file": ("a.txt", b"a")}).json()["file"]
    kept: list[list[dict[str, Any]]] = []
    for large in (2**30, 0):
        monkeypatch.setattr(asking, "LARGE", large)
        text = "graph: 1\ninputs: {v: {type: str, default: a}}\nnodes: {a: {type: toy_slow, value: $v}}\n"
        bodies: tuple[dict[str, Any], ...] = (
            {"text": text + "outputs: {said: $a}\n", "inputs": {"v": {"file": upload}}},
            {"text": text + "outputs: {said: $a}\n", "each": {"v": ["a", "b"]}},
        )
        answers = [client.post("/api/v1/jobs", json=body) for body in bodies]
        assert [a.status_code for a in answers] == [201, 201], [a.text for a in answers]
        kept.append([dict(parts(client).jobs.get(a.json()["id"]).request) for a in answers])
    assert kept[0] == kept[1]


def test_what_is_large_only_with_the_files_that_it_names_is_judged_beside(
    client: TestClient, folder: Path
) -> None:
    inner = "graph: 1\nnodes: {a: {type: no_such_node}}\noutputs: {i: $a}\n# " + "x" * 600
    (folder / "inner.yaml").write_text(inner, "utf-8")
    for number, beside in ((2, False), (40, True)):
        uses = "".join(f"  n{i}: {{type: inner.yaml}}\n" for i in range(number))
        text = f"graph: 1\nnodes:\n{uses}outputs: {{i: $n0}}\n"
        assert len(text) < asking.LARGE
        answer = client.post("/api/v1/check", json={**CHECKED, "text": text})
        assert "no_such_node" in answer.text and parts(client).judge._child.alive is beside
    (folder / "inner.yaml").write_text("graph: 1\nnodes: {a: {type: inner.yaml}}\n", "utf-8")
    answer = client.post("/api/v1/check", json={**CHECKED, "text": text})
    assert "a graph contains itself" in answer.text


def test_values_are_counted_as_the_text_is(client: TestClient) -> None:
    body = {**CHECKED, "text": SCENE, "set": {"no.port": "x" * asking.LARGE}}
    assert client.post("/api/v1/check", json=body).status_code == 422
    assert parts(client).judge._child.alive


class Held:
    """A process that judges nothing until it may."""

    def __init__(self) -> None:
        self.go, self.begun = threading.Event(), threading.Semaphore(0)

    def do(self, *_: object) -> Iterator[dict[str, Any]]:
        self.begun.release()
        assert self.go.wait(30)
        yield {"event": "judged", "found": "read"}

    def stop(self) -> None:
        self.go.set()


def test_so_many_large_texts_wait_and_small_ones_are_answered(client: TestClient) -> None:
    judge, held = parts(client).judge, Held()
    judge._child = held  # type: ignore[assignment]
    body, answers = {"text": LARGE}, list[int]()

    def ask() -> None:
        answers.append(client.post("/api/v1/format", json=body).status_code)

    threads = [threading.Thread(target=ask) for _ in range(LARGE_TEXTS + 1)]
    for thread in threads:
        thread.start()
    assert held.begun.acquire(timeout=30)
    while judge._waiting < LARGE_TEXTS:
        threading.Event().wait(0.01)
    for path, given in (
        ("format", body),
        ("check", {**CHECKED, "text": LARGE}),
        ("jobs", {"text": LARGE}),
    ):
        answer = client.post(f"/api/v1/{path}", json=given)
        assert (answer.status_code, answer.json()["type"]) == (503, "checker-busy")
        assert answer.headers["retry-after"] == "1"
    assert client.post("/api/v1/check", json={**CHECKED, "text": SCENE}).status_code == 200
    held.go.set()
    for thread in threads:
        thread.join(30)
    assert answers == [200] * len(threads)


def test_a_judge_that_is_killed_costs_one_request(client: TestClient) -> None:
    assert client.post("/api/v1/format", json={"text": LARGE}).status_code == 200
    worker = parts(client).judge._child._worker
    assert worker is not None
    os.kill(worker.process.pid, signal.SIGKILL)
    worker.process.wait()
    assert client.post("/api/v1/format", json={"text": LARGE}).status_code == 200


def test_a_check_that_was_announced_later_is_the_newer_one(tmp_path: Path) -> None:
    from nodegraph.base.workspace import Workspace

    checker, held = Checker(Workspace(), str(tmp_path)), Held()
    checker._child = held  # type: ignore[assignment]
    held.go.set()
    older, newer = checker.announce("a.yaml"), checker.announce("a.yaml")
    assert checker.ask(None, "a.yaml", newer)["event"] == "judged"  # type: ignore[arg-type]
    with pytest.raises(Problem, match="newer"), suppress(KeyError):
        checker.ask(None, "a.yaml", older)  # type: ignore[arg-type]
