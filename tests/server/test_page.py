"""The page of a graph: checked as it is typed, run in a process of its own, which may die."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from server.app import application
from server.worker import Task, Worker

TEXT = "graph: 1\nnodes: {s: {type: shapes_scene, caption: a red circle, size: 16}}\noutputs: {s: $s}\n"


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setenv("NODEGRAPH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "g.yaml").write_text(TEXT, "utf-8")
    app = application(str(tmp_path / "g.yaml"), tmp_path / "out")
    with TestClient(app, "http://127.0.0.1") as client:
        yield client


def told(page: TestClient, kind: str, text: str) -> list[dict[str, Any]]:
    answer = page.post(f"/{kind}", json={"text": text})
    assert answer.status_code == 200
    return [json.loads(line) for line in answer.text.splitlines()]


def test_a_text_is_checked_and_run_as_it_stands_in_the_page(page: TestClient) -> None:
    assert "<textarea" in page.get("/").text
    opened = page.get("/graph").json()
    assert opened == {"name": "g.yaml", "text": TEXT}
    (checked,) = told(page, "check", TEXT.replace("caption", "captoin"))
    assert {d["code"] for d in checked["diagnostics"]} == {"E201", "E205"}
    assert told(page, "check", TEXT) == [{"event": "checked", "diagnostics": []}]
    events = told(page, "run", TEXT.replace("red", "blue"))
    assert [e["event"] for e in events[:2]] == ["planned", "started"]
    (file,) = events[-1]["outputs"]["s"]
    assert page.get(f"/out/{Path(file).name}").content == Path(file).read_bytes()
    assert page.get("/out/..%2fg.yaml").status_code == 404
    (refused,) = told(page, "run", "graph: 1\nnodes: {}\n")
    assert refused["event"] == "refused" and refused["diagnostics"]


def test_only_this_machine_is_answered(page: TestClient) -> None:
    assert page.get("/graph", headers={"host": "evil.example"}).status_code == 400
    form = {"content-type": "text/plain"}
    assert page.post("/check", content=json.dumps({"text": TEXT}), headers=form).status_code == 422


def test_a_worker_that_dies_is_told_and_the_next_task_gets_another(tmp_path: Path) -> None:
    from nodegraph.language.source import SourceText

    worker = Worker()
    check = Task("check", SourceText("g.yaml", TEXT), tmp_path)
    doing = worker.do(check)
    threading.Timer(0.3, lambda: worker._process and worker._process.kill()).start()
    assert [t["event"] for t in doing] == ["stopped"]
    assert [t["event"] for t in worker.do(check)] == ["checked"]
    worker.stop()
