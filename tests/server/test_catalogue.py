"""Libraries that are installed, changed and taken away while the server runs."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
from fastapi import Request
from serving import TOKEN, ended
from starlette.testclient import TestClient

from nodegraph.library import following
from server import services
from server.app import application
from server.jobs.log import Readers
from server.settings import Settings

API = "/api/v1"
NODES = '''"""Nodes of a library."""
from nodegraph import node

@node
def {name}(value: float = 1.0) -> float:
    """Makes a number larger."""
    return {result}
'''
GRAPH = "graph: 1\nnodes: {{a: {{type: {name}, value: 2}}}}\noutputs: {{number: $a}}\n"


def install(place: Path, name: str, result: str) -> None:
    """What an installer leaves: a package, and the record that names its nodes."""
    record = place / "later_library-1.dist-info"
    shutil.rmtree(record, ignore_errors=True)
    (place / "later_library").mkdir(exist_ok=True)
    (place / "later_library" / "__init__.py").write_text("", "utf-8")
    text = NODES.format(name=name, result=result)
    (place / "later_library" / "nodes.py").write_text(text, "utf-8")
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: later-library\nVersion: 1\n")
    (record / "entry_points.txt").write_text("[nodegraph.nodes]\nlater = later_library.nodes\n")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in which this process, and those that it starts, look for libraries."""
    found = tmp_path / "site"
    found.mkdir()
    monkeypatch.syspath_prepend(str(found))
    paths = [str(found), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    return found


@pytest.fixture
def served(settings: Settings, tmp_path: Path, place: Path) -> Iterator[TestClient]:
    """A server that looks often, and forgets what it read when it ends."""
    given = Settings(settings.folder, tmp_path / "state", TOKEN, hosts=("testserver",))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(following, "_known", following.Installed())
        patch.setattr("server.app.LOOK", 0.1)
        with TestClient(application(given)) as client:
            client.headers["authorization"] = f"Bearer {TOKEN}"
            yield client


def until(found: Callable[[], bool]) -> None:
    """Wait for something; a child process reads the libraries meanwhile."""
    end = time.monotonic() + 60
    while not found():
        assert time.monotonic() < end
        time.sleep(0.1)


def has(client: TestClient, name: str) -> bool:
    """Whether a node is known; asked often, and therefore not by a request for all of them."""
    return name in services.of(cast(Request, client)).fresh().registry.nodes


def result(client: TestClient, name: str) -> object:
    job = client.post(f"{API}/jobs", json={"text": GRAPH.format(name=name)})
    assert job.status_code == 201, job.text
    return ended(client, job.json()["id"])["outputs"]["number"]


def heard(client: TestClient) -> list[str]:
    """What a reader of no job hears."""
    found = services.of(cast(Request, client))
    return [event.event for event in found.log.since(0, Readers(jobs=()))]


def test_a_library_is_known_when_it_comes_when_it_is_another_and_when_it_goes(
    served: TestClient, place: Path
) -> None:
    tag = served.get(f"{API}/nodes").headers["etag"]
    text = GRAPH.format(name="later_number")
    body = {"path": "later.yaml", "text": text, "version": 1, "level": "shapes"}
    assert served.post(f"{API}/check", json=body).json()["diagnostics"]  # the checker is warm now
    install(place, "later_number", "value + 1")
    until(lambda: has(served, "later_number"))
    answer = served.get(f"{API}/nodes", headers={"if-none-match": tag})
    assert "later_number" in [node["name"] for node in answer.json()["nodes"]]
    assert not served.post(f"{API}/check", json=body).json()["diagnostics"]
    assert result(served, "later_number") == [3.0]
    install(place, "later_number", "value * 100.0")
    until(lambda: result(served, "later_number") == [200.0])
    assert heard(served) == ["catalogue"], "the newest alone: who missed one reads all again"
    shutil.rmtree(place / "later_library-1.dist-info")
    until(lambda: not has(served, "later_number"))
    (fault,) = served.post(f"{API}/check", json=body).json()["diagnostics"]
    assert "later_number" in fault["message"]
