"""A server of a workspace with toy nodes."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from serving import NODES, SCENE, SLOW, TOKEN
from starlette.testclient import TestClient

from nodegraph.base.paths import cache_folder
from nodegraph.library.following import registry
from server.app import application
from server.settings import Limits, Settings

LIMITS = Limits()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace: two graphs, and a file of nodes."""
    place = tmp_path_factory.mktemp("workspace")
    (place / "nodes").mkdir()
    (place / "nodes" / "toys.py").write_text(NODES, "utf-8")
    (place / "slow.yaml").write_text(SLOW, "utf-8")
    (place / "scene.yaml").write_text(SCENE, "utf-8")
    return place


def with_catalogue(cache: Path) -> Path:
    """A folder of caches with what is known of the libraries, which costs seconds to read, and nothing else."""
    registry()
    for kept in cache_folder().glob("catalogue-*.json"):
        shutil.copy(kept, cache)
    return cache


@pytest.fixture(scope="module")
def settings(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """What the server of the workspace is started with."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NODEGRAPH_CACHE", str(with_catalogue(tmp_path_factory.mktemp("cache"))))
        patch.chdir(folder)
        yield Settings(
            folder, tmp_path_factory.mktemp("state"), TOKEN, hosts=("testserver", "127.0.0.1")
        )


@pytest.fixture(scope="module")
def served(settings: Settings) -> Iterator[TestClient]:
    """A client that is let in."""
    with TestClient(application(settings)) as client:
        client.headers["authorization"] = f"Bearer {TOKEN}"
        yield client


@pytest.fixture
def other(settings: Settings, tmp_path: Path) -> Iterator[Callable[..., TestClient]]:
    """Makes servers of the same workspace with other settings, without workers."""
    opened: list[TestClient] = []

    def make(limits: Limits = LIMITS, **changes: Any) -> TestClient:
        given = {"workers": (), "state": tmp_path / f"state{len(opened)}", **changes}
        client = TestClient(application(replace(settings, limits=limits, **given)))
        client.headers["authorization"] = f"Bearer {TOKEN}"
        opened.append(client)
        client.__enter__()
        return client

    yield make
    for client in opened:
        client.__exit__(None, None, None)
