"""Jobs on a cluster that the server was started with: what comes out is here, and no request names another place."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from serving import TOKEN, ended
from starlette.testclient import TestClient

from nodegraph.executors.tasks import NoPlace
from server.app import application
from server.settings import Settings

JOBS = "/api/v1/jobs"


@pytest.fixture(scope="module")
def spread(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A client of a server whose jobs may run on Ray, on this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setattr("nodegraph.executors.cluster.cores_here", lambda: 2)
        given = replace(settings, on="ray", state=tmp_path_factory.mktemp("spread"))
        with TestClient(application(given)) as client:
            client.headers["authorization"] = f"Bearer {TOKEN}"
            yield client


def queued(client: TestClient, **body: Any) -> str:
    answer = client.post(JOBS, json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def test_a_picture_of_the_cluster_is_that_of_this_machine(spread: TestClient) -> None:
    there = ended(spread, queued(spread, graph="scene.yaml", on="ray", cache=False), 300.0)
    here = ended(spread, queued(spread, graph="scene.yaml", on="here", cache=False))
    assert there["state"] == here["state"] == "done", there
    assert (there["worker"][:4], here["worker"]) == ("ray-", "cpu")
    assert there["outputs"] == here["outputs"]
    (file,) = there["outputs"]["image"]
    assert spread.get(f"/api/v1/files/{file['file']}").content.startswith(b"\x89PNG")
    assert not list(Path(there["folder"] or "nowhere").glob("*"))


def test_cells_go_to_all_workers_of_the_cluster(spread: TestClient) -> None:
    each = {"value": ["a", "b", "c", "d"]}
    inputs = {"steps": 4, "seconds": 0.2}
    id = queued(spread, graph="slow.yaml", on="ray", each=each, inputs=inputs)
    assert ended(spread, id, 300.0)["state"] == "done"
    cells = spread.get(f"{JOBS}/{id}").json()["cells"]
    assert len(cells) == 4
    workers = {spread.get(f"{JOBS}/{cell['id']}").json()["worker"] for cell in cells}
    assert workers == {"ray-1", "ray-2"}


def test_a_job_of_the_cluster_is_cancelled_and_one_that_ends_its_process_fails(
    spread: TestClient,
) -> None:
    long = queued(spread, graph="slow.yaml", on="ray", inputs={"steps": 40, "seconds": 0.1})
    while not spread.get(f"{JOBS}/{long}").json()["nodes"]:
        time.sleep(0.05)
    assert spread.post(f"{JOBS}/{long}/cancel").status_code == 202
    assert ended(spread, long)["state"] == "cancelled"
    text = "graph: 1\nnodes: {n: {type: toy_end}}\noutputs: {out: $n}\n"
    died = ended(spread, queued(spread, text=text, on="ray"), 120.0)
    assert died["state"] == "failed"
    assert "the worker was lost" in died["diagnostics"][-1]["message"]
    again = ended(spread, queued(spread, graph="slow.yaml", on="ray"), 120.0)
    assert again["outputs"] == {"said": ["a"]}


@pytest.mark.parametrize("place", ["ray", "ray://10.0.0.1:6379", "processes:2", "elsewhere"])
def test_only_the_place_of_the_server_is_taken(served: TestClient, place: str) -> None:
    refused = served.post(JOBS, json={"graph": "slow.yaml", "on": place})
    assert refused.status_code == 422 and refused.json()["type"] == "no-place"
    assert "there are: here" in refused.json()["detail"]


def test_a_place_and_a_device_of_this_machine_do_not_go_together(spread: TestClient) -> None:
    refused = spread.post(JOBS, json={"graph": "slow.yaml", "on": "ray", "device": "cpu"})
    assert refused.status_code == 422 and refused.json()["type"] == "no-place"
    other = spread.post(JOBS, json={"graph": "slow.yaml", "on": "ray://10.0.0.1:6379"})
    assert "there are: here, ray" in other.json()["detail"]


def test_a_server_is_not_begun_with_what_is_no_cluster(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(NoPlace, match="E504 no-place: 'processes:2' is no cluster"):
        application(replace(settings, on="processes:2", state=tmp_path / "state"))
