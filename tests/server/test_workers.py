"""Workers that do not do as they should: each costs its own job, and leaves nothing behind."""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from serving import ended
from starlette.testclient import TestClient

from nodegraph.base.workspace import Workspace
from server.checking import MOST, Checker, Superseded
from server.jobs.job import Job
from server.problems import Problem

API = "/api/v1"
JOBS = f"{API}/jobs"


def queue(client: TestClient, **body: Any) -> str:
    answer = client.post(JOBS, json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def text_of(kind: str, **ports: Any) -> str:
    written = "".join(f", {name}: {value}" for name, value in ports.items())
    return f"graph: 1\nnodes: {{n: {{type: {kind}{written}}}}}\noutputs: {{out: $n}}\n"


def until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not come to pass")


def runs(client: TestClient, id: str) -> bool:
    return client.get(f"{JOBS}/{id}").json()["state"] == "running"


def worker(client: TestClient) -> Any:
    return client.app.state.services.workers.workers[0]  # type: ignore[attr-defined]


def gone(pid: int) -> bool:
    """Whether a process ended; one that nobody waited for is a zombie."""
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True


@pytest.mark.parametrize("ends", [True, False])
def test_what_a_worker_began_ends_with_it(served: TestClient, tmp_path: Path, ends: bool) -> None:
    """Also where it holds the pipe of a worker that is dead."""
    mark = tmp_path / "child"
    id = queue(served, text=text_of("toy_fork", mark=mark, ends=str(ends).lower()))
    child = int(until(lambda: mark.exists() and mark.read_text()))
    if not ends:
        worker(served).child.stop()
    job = ended(served, id)
    assert job["state"] == "failed" and job["diagnostics"]
    until(lambda: gone(child), 10)


def test_a_worker_that_is_stopped_is_killed_after_a_cancel(
    served: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker(served).child, "grace", 0.5)
    slow = queue(served, graph="slow.yaml", inputs={"steps": 600, "seconds": 0.05})
    until(lambda: runs(served, slow))
    pid = until(lambda: worker(served).child.alive and worker(served).child._worker.process.pid)
    os.kill(pid, signal.SIGSTOP)
    assert served.post(f"{JOBS}/{slow}/cancel").status_code == 202
    assert ended(served, slow)["state"] == "cancelled" and gone(pid)
    after = queue(served, graph="slow.yaml", inputs={"value": "after"})
    assert ended(served, after)["outputs"] == {"said": ["after"]}


def test_a_stopped_worker_that_reads_nothing_holds_nobody(
    served: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task that is larger than a pipe waits in it; the cancel of it must not."""
    monkeypatch.setattr(worker(served).child, "grace", 0.5)
    assert ended(served, queue(served, graph="slow.yaml"))["state"] == "done"
    os.kill(worker(served).child._worker.process.pid, signal.SIGSTOP)
    large = queue(served, graph="slow.yaml", inputs={"value": "x" * 900_000})
    until(lambda: runs(served, large))
    assert served.post(f"{JOBS}/{large}/cancel").status_code == 202
    assert ended(served, large)["state"] == "cancelled"


def test_a_cancel_between_the_claim_and_the_start_counts(
    served: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, claimed, go = worker(served), threading.Event(), threading.Event()
    task = found.task

    def late(job: Job, out: str) -> Any:
        claimed.set()
        go.wait(30)
        return task(job, out)

    monkeypatch.setattr(found, "task", late)
    id = queue(served, graph="slow.yaml", inputs={"steps": 600, "seconds": 0.05})
    assert claimed.wait(30)
    served.post(f"{JOBS}/{id}/cancel")
    go.set()
    assert ended(served, id)["state"] == "cancelled"
    served.post(f"{JOBS}/{id}/retry")  # it is another attempt that was cancelled
    until(lambda: served.get(f"{JOBS}/{id}").json()["nodes"].get("s") or runs(served, id))
    served.post(f"{JOBS}/{id}/cancel")
    assert ended(served, id)["attempt"] == 2


def test_a_job_that_cannot_be_recorded_spoils_no_other(
    served: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = worker(served).jobs
    tell = type(jobs).tell

    def full(self: Any, id: str, told: Any) -> None:
        if id == broken and any(name == "node.step" for name, _ in told):
            raise OSError(28, "No space left on device")
        tell(self, id, told)

    monkeypatch.setattr(type(jobs), "tell", full)
    served.post(f"{API}/queue/pause")
    broken = queue(served, graph="slow.yaml", inputs={"steps": 20, "seconds": 0.2, "value": "one"})
    after = queue(served, graph="slow.yaml", inputs={"value": "two"})
    served.post(f"{API}/queue/resume")
    failed = ended(served, broken)
    assert failed["state"] == "failed" and "disk is full" in failed["diagnostics"][0]["message"]
    assert ended(served, after)["outputs"] == {"said": ["two"]}


def test_a_worker_outlives_a_database_that_is_away(
    served: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = type(worker(served).jobs)
    claim, end, left = jobs.claim, jobs.end, {"claim": 2, "end": 2}

    def away(kind: str, method: Any) -> Any:
        def call(*given: Any) -> Any:
            if left[kind]:
                left[kind] -= 1
                raise OSError(28, "No space left on device")
            return method(*given)

        return call

    monkeypatch.setattr("server.jobs.workers.RETRY", 0.05)
    monkeypatch.setattr(jobs, "claim", away("claim", claim))
    monkeypatch.setattr(jobs, "end", away("end", end))
    id = queue(served, graph="slow.yaml", inputs={"value": "kept"})
    assert ended(served, id)["outputs"] == {"said": ["kept"]} and not any(left.values())


class Stuck:
    """A process whose tasks go on until they are told to end."""

    def __init__(self) -> None:
        self.go, self.cancelled = threading.Event(), 0

    def do(self, task: Any, seconds: float, unwanted: Callable[[], bool]) -> Any:
        assert self.go.wait(30)
        yield {"event": "cancelled" if unwanted() else "checked"}

    def cancel(self) -> None:
        self.cancelled += 1


def test_checks_that_nobody_wants_hold_no_thread(tmp_path: Path) -> None:
    checker, stuck = Checker(Workspace(), str(tmp_path)), Stuck()
    checker._child = stuck  # type: ignore[assignment]
    said: list[tuple[str, object]] = []

    def ask(path: str) -> None:
        try:
            said.append((path, checker.ask(None, path)["event"]))  # type: ignore[arg-type]
        except Problem as problem:
            said.append((path, problem.type))

    def begin(path: str) -> threading.Thread:
        thread = threading.Thread(target=ask, args=(path,), daemon=True)
        thread.start()
        return thread

    threads = [begin("first")]
    until(lambda: checker._busy)
    threads += [begin("typed") for _ in range(3)]
    until(lambda: len(said) == 2)  # two of three left at once: only the newest still waits
    assert said == [("typed", "superseded")] * 2
    threads += [begin(f"tab {n}") for n in range(MOST - 1)]
    until(lambda: checker._waiting == MOST)
    ask("one too many")
    assert said[-1] == ("one too many", "checker-busy")
    threads.append(begin("first"))
    threads[-1].join(10)
    assert said[-1] == ("first", "checker-busy") and stuck.cancelled == 1
    stuck.go.set()
    for thread in threads:
        thread.join(10)
    assert ("first", "superseded") in said and ("typed", "checked") in said
    assert issubclass(Superseded, Problem) and len(said) == len(threads) + 1
