"""Servers and workers that are killed at random moments: no job is lost, none is done twice, and the next one runs."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from serving import TOKEN


@dataclass
class Serving:
    """A server in a process of its own, which may be killed and started again."""

    folder: Path
    state: Path
    cache: Path
    process: "subprocess.Popen[str] | None" = None
    client: httpx2.Client = field(default_factory=httpx2.Client)

    def start(self, *options: str) -> None:
        command = [
            sys.executable,
            "-m",
            "nodegraph",
            "serve",
            str(self.folder),
            "--port",
            "0",
            "--workers",
            "cpu",
        ]
        command += ["--state", str(self.state), "--token", TOKEN, *options]
        env = {**os.environ, "NODEGRAPH_CACHE": str(self.cache)}
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=env)
        assert self.process.stderr is not None
        line = ""
        while "open once:" not in line:
            line = self.process.stderr.readline()
            assert line, "the server did not start"
        base = line.partition("open once: ")[2].partition("/enter")[0] + "/api/v1"
        self.client.close()
        self.client = httpx2.Client(
            base_url=base, headers={"authorization": f"Bearer {TOKEN}"}, timeout=30
        )
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with suppress(httpx2.HTTPError):
                if self.client.get("/health/live").status_code == 200:
                    return
            time.sleep(0.05)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.close()

    def close(self) -> None:
        assert self.process is not None and self.process.stderr is not None
        self.process.stderr.close()
        self.client.close()

    def workers(self) -> list[int]:
        assert self.process is not None
        pid = self.process.pid
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        threads = Path(f"/proc/{pid}/task").iterdir()
        for thread in threads:
            with suppress(OSError):
                found += (thread / "children").read_text().split()
        return [int(p) for p in set(found) if b"executors.worker" in _command(p)]

    def jobs(self) -> list[dict[str, Any]]:
        return self.client.get("/jobs", params={"limit": 200}).json()["jobs"]


def _command(pid: str) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


@pytest.fixture
def serving(folder: Path, tmp_path: Path) -> Iterator[Serving]:
    made = Serving(folder, tmp_path / "state", tmp_path / "cache")
    yield made
    if made.process is not None:
        made.kill()


def rounds(serving: Serving, kills: int, of_server: float, seed: int) -> None:
    """Kill at random moments, while there are jobs; whatever is cut off goes on, or is tried again."""
    chance = random.Random(seed)
    serving.start("--resume")
    made: list[str] = []
    for _ in range(kills):
        while len([j for j in serving.jobs() if j["state"] == "queued"]) < 3:
            inputs = {"value": str(len(made)), "steps": 3, "seconds": 0.1}
            made.append(
                serving.client.post("/jobs", json={"graph": "slow.yaml", "inputs": inputs}).json()[
                    "id"
                ]
            )
        time.sleep(chance.uniform(0.0, 1.5))
        if chance.random() < of_server:
            serving.kill()
            serving.start("--resume")
        else:
            for pid in serving.workers():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
    until = time.monotonic() + 120
    while (
        any(j["state"] in ("queued", "running") for j in serving.jobs())
        and time.monotonic() < until
    ):
        time.sleep(0.2)
    states = {job["id"]: job for job in serving.jobs()}
    assert set(made) == states.keys() and len(made) == len(states)
    for job in states.values():
        assert job["state"] == "done" or (
            job["state"] == "failed" and "killed" in job["diagnostics"][0]["message"]
        )
        if job["state"] == "done":
            assert job["outputs"] == {"said": [job["asked"]["inputs"]["value"]]}
    database = sqlite3.connect(serving.state / "server.sqlite")
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    twice = "SELECT topic FROM events WHERE event = 'job.done' GROUP BY topic HAVING count(*) > 1"
    assert database.execute(twice).fetchall() == []
    database.close()


def test_twenty_kills(serving: Serving) -> None:
    rounds(serving, 20, 0.3, seed=1)


@pytest.mark.soak
def test_two_hundred_kills(serving: Serving) -> None:
    rounds(serving, 200, 0.5, seed=2)


def test_a_queue_outlives_its_server_in_order(serving: Serving) -> None:
    serving.start()
    serving.client.post("/queue/pause")
    for number in range(50):
        inputs = {"value": str(number)}
        assert (
            serving.client.post("/jobs", json={"graph": "slow.yaml", "inputs": inputs}).status_code
            == 201
        )
    before = [(j["id"], j["place"]) for j in serving.jobs()]
    serving.kill()
    serving.start()
    assert [(j["id"], j["place"]) for j in serving.jobs()] == before
    assert sorted(place for _, place in before) == list(range(50))
    serving.client.post("/queue/resume")
    until = time.monotonic() + 60
    while any(j["state"] != "done" for j in serving.jobs()) and time.monotonic() < until:
        time.sleep(0.2)
    found = serving.jobs()
    assert [j["state"] for j in found] == ["done"] * 50
    assert [j["number"] for j in sorted(found, key=lambda j: j["started"])] == sorted(
        j["number"] for j in found
    )


def test_without_resume_what_ran_is_interrupted_and_a_stop_drains(serving: Serving) -> None:
    serving.start()
    slow = {"graph": "slow.yaml", "inputs": {"steps": 1000, "seconds": 0.05}}
    job = serving.client.post("/jobs", json=slow).json()["id"]
    until = time.monotonic() + 60
    while (
        serving.client.get(f"/jobs/{job}").json()["state"] == "queued" and time.monotonic() < until
    ):
        time.sleep(0.05)
    (worker,) = serving.workers()
    serving.kill()
    until = time.monotonic() + 60
    while b"executors.worker" in _command(str(worker)) and time.monotonic() < until:
        time.sleep(0.1)
    assert b"executors.worker" not in _command(str(worker))  # it goes when the server goes
    serving.start()
    assert serving.client.get(f"/jobs/{job}").json()["state"] == "interrupted"
    assert "torch" not in loaded(serving)
    assert serving.process is not None
    serving.process.send_signal(signal.SIGTERM)
    assert serving.process.wait(30) == 0
    assert serving.process.stderr is not None
    assert "Traceback" not in serving.process.stderr.read()


def loaded(serving: Serving) -> str:
    """The shared libraries that a server has loaded."""
    assert serving.process is not None
    return Path(f"/proc/{serving.process.pid}/maps").read_text()
