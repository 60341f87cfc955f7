"""How the server tells of itself, and how long its workers keep what they have loaded."""

import re
import time
from collections.abc import Callable
from typing import Any

from serving import ended
from starlette.testclient import TestClient

Other = Callable[..., TestClient]
API = "/api/v1"


def worker(client: TestClient, name: str = "cpu") -> dict[str, Any]:
    return next(w for w in client.get(f"{API}/health").json()["workers"] if w["name"] == name)


def numbers(client: TestClient) -> dict[str, float]:
    answer = client.get(f"{API}/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    found = re.findall(r"^(nodegraph_\S+) (\S+)$", answer.text, re.MULTILINE)
    return {name: float(value) for name, value in found}


def run(client: TestClient, **body: Any) -> dict[str, Any]:
    return ended(
        client, client.post(f"{API}/jobs", json={"graph": "slow.yaml", **body}).json()["id"]
    )


def test_workers_cool_down_are_unloaded_and_told_in_numbers(other: Other) -> None:
    client = other(workers=("cpu",), keep_warm=0.5)
    assert client.get(f"{API}/health").json()["versions"]["nodegraph"]
    assert not worker(client)["warm"]
    assert run(client)["state"] == "done"
    until = time.monotonic() + 30
    while worker(client)["warm"] and time.monotonic() < until:
        time.sleep(0.1)
    assert not worker(client)["warm"]  # nobody needed it for half a second
    found = numbers(client)
    assert found['nodegraph_jobs{state="done"}'] == 1.0
    assert found['nodegraph_worker_warm{worker="cpu"}'] == 0.0
    assert found["nodegraph_readers"] == 0.0


def test_a_job_that_takes_too_long_is_stopped_and_a_busy_worker_is_not_unloaded(
    other: Other,
) -> None:
    client = other(workers=("cpu",), job_seconds=20.0)
    body = {"graph": "slow.yaml", "inputs": {"steps": 10_000, "seconds": 0.05}}
    job = client.post(f"{API}/jobs", json=body).json()["id"]
    while worker(client)["job"] is None:
        time.sleep(0.05)
    busy = client.post(f"{API}/workers/cpu/unload")
    assert busy.status_code == 409 and busy.json()["type"] == "busy"
    found = ended(client, job)
    assert (
        found["state"] == "failed" and "limit of this server" in found["diagnostics"][-1]["message"]
    )
    assert run(client)["state"] == "done"
    assert worker(client)["warm"]
    assert (
        client.post(f"{API}/workers/cpu/unload").status_code == 204 and not worker(client)["warm"]
    )
    assert client.post(f"{API}/workers/gpu/unload").status_code == 404


def test_ready_and_live_differ_while_the_server_stops(other: Other) -> None:
    client = other()
    assert client.get(f"{API}/health/ready").json() == {"status": "ok"}
    client.app.state.stopping = True  # type: ignore[attr-defined]
    assert client.get(f"{API}/health/ready").json()["type"] == "stopping"
    assert client.get(f"{API}/health/live").status_code == 200
