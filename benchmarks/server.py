"""What the server costs: its start, checks, answers while a model computes, readers that listen.

`python benchmarks/server.py [--requests N]`: prints a table in Markdown. Times are of the wall where nothing else is said.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

TOKEN = "a token of the benchmarks"
KEY = {"authorization": f"Bearer {TOKEN}"}
GLIDE = "glide/text_to_image"
TICKS = os.sysconf("SC_CLK_TCK")
LONG = {"graph": GLIDE, "inputs": {"steps": 200, "count": 4}, "cache": False}


class Server:
    """A server in a process of its own, over a folder with one small graph and one of 300 nodes."""

    def __init__(self, place: Path) -> None:
        (place / "graphs").mkdir()
        (place / "graphs" / "large.yaml").write_text(large(300), "utf-8")
        command = [sys.executable, "-m", "nodegraph", "serve", str(place / "graphs"), "--port", "0"]
        command += ["--state", str(place / "state"), "--token", TOKEN, "--workers", "cpu"]
        begun = time.perf_counter()
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        while not (found := re.search(r"127.0.0.1:(\d+)", self.process.stderr.readline())):
            assert self.process.poll() is None, "the server did not start"
        self.port = int(found[1])
        self.call("GET", "/health/live")
        self.seconds = time.perf_counter() - begun
        self.cpu = _cpu(self.process.pid)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        return self.timed(method, path, body, **headers)[1]

    def timed(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[float, Any]:
        """Seconds until the whole answer is there, and the answer."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=600)
        given = {**KEY, "content-type": "application/json", **headers}
        begun = time.perf_counter()
        content = None if body is None else json.dumps(body)
        connection.request(method, f"/api/v1{path}", content, given)
        answer = connection.getresponse()
        text = answer.read()
        seconds = time.perf_counter() - begun
        connection.close()
        assert answer.status < 400, text
        return seconds, {"etag": answer.getheader("etag"), **_object(text)}

    def run(self, **body: Any) -> dict[str, Any]:
        """A job that has ended."""
        id = self.call("POST", "/jobs", body)["id"]
        while (job := self.call("GET", f"/jobs/{id}"))["state"] in ("queued", "running"):
            time.sleep(0.1)
        assert job["state"] == "done", job["diagnostics"]
        return job

    @contextmanager
    def computing(self) -> Iterator[None]:
        """A model computes meanwhile."""
        id = self.call("POST", "/jobs", LONG)["id"]
        connection = HTTPConnection("127.0.0.1", self.port, timeout=600)
        connection.request("GET", f"/api/v1/events?jobs={id}&since=0", headers=KEY)
        stream = connection.getresponse()
        while b"node.step" not in stream.readline():
            pass
        connection.close()
        yield
        self.call("POST", f"/jobs/{id}/cancel")
        while self.call("GET", f"/jobs/{id}")["state"] == "running":
            time.sleep(0.1)

    @contextmanager
    def readers(self, number: int, stuck: int = 0) -> Iterator[None]:
        """Processes that read all events, and connections that nobody reads."""
        ask = f"GET /api/v1/events?since=0 HTTP/1.1\\r\\nHost: localhost\\r\\nAuthorization: Bearer {TOKEN}\\r\\n\\r\\n"
        program = (
            f"import select, socket; all = [socket.create_connection(('127.0.0.1', {self.port})) for _ in range({number})]\n"
            f"for s in all: s.sendall(b'{ask}')\n"
            f"read = all[{stuck}:]\nprint(1, flush=True)\n"
            "while True:\n  for s in select.select(read, [], [])[0]: s.recv(65536)"
        )
        child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.read(2)
        time.sleep(0.5)
        yield
        child.kill()
        child.wait()

    def memory(self) -> float:
        """Megabytes that are resident."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1e3

    def torch(self) -> bool:
        """Whether torch is loaded."""
        return "libtorch" in Path(f"/proc/{self.process.pid}/maps").read_text()

    def children_cpu(self) -> float:
        """Seconds of CPU that the processes beside the server took."""
        pid = self.process.pid
        tasks = Path(f"/proc/{pid}/task").iterdir()
        children = {c for task in tasks for c in (task / "children").read_text().split()}
        return sum(_cpu(child) for child in children)


def _cpu(pid: int | str) -> float:
    """Seconds of CPU that a process took."""
    stats = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(stats[11]) + int(stats[12])) / TICKS


def _object(text: bytes) -> dict[str, Any]:
    found = json.loads(text) if text else {}
    return found if isinstance(found, dict) else {"list": found}


def large(nodes: int) -> str:
    """A graph of so many nodes, in lines."""
    rows = "".join(
        f"  n{k}: {{type: resize, image: $n{k - 1}, size: {16 + k % 2}}}\n" for k in range(1, nodes)
    )
    first = "  n0: {type: shapes_scene, caption: a red circle, size: 16}\n"
    return f"graph: 1\nnodes:\n{first}{rows}outputs: {{o: $n{nodes - 1}}}\n"


def median(call: Callable[[], float], times: int) -> float:
    return statistics.median(call() for _ in range(times))


def check(server: Server, path: str, **more: Any) -> float:
    body = {"path": path, "level": "types", **more}
    seconds, told = server.timed("POST", "/check", body)
    assert not [f for f in told["diagnostics"] if f["severity"] == "error"], told["diagnostics"]
    return 1e3 * seconds


def shapes_cpu(server: Server) -> float:
    """Milliseconds of CPU of a check with shapes after one input changed."""
    numbers = iter(range(2, 99))

    def once() -> float:
        before = server.children_cpu()
        body = {"path": GLIDE, "level": "shapes", "inputs": {"steps": next(numbers)}}
        server.call("POST", "/check", body)
        return 1e3 * (server.children_cpu() - before)

    once()
    return median(once, 9)


def p99(server: Server, requests: int) -> dict[str, float]:
    """Milliseconds, of health, jobs and checks of types in turns, while a model computes."""
    kinds: dict[str, Callable[[], float]] = {
        "health": lambda: 1e3 * server.timed("GET", "/health")[0],
        "jobs": lambda: 1e3 * server.timed("GET", "/jobs")[0],
        "check types": lambda: check(server, GLIDE),
    }
    found: dict[str, list[float]] = {kind: [] for kind in kinds}
    with server.computing():
        for _ in range(requests // len(kinds)):
            for kind, call in kinds.items():
                found[kind].append(call())
    return {kind: statistics.quantiles(times, n=100)[98] for kind, times in found.items()}


def to_start(server: Server) -> float:
    """Milliseconds from a request to the start of its job, the worker being warm and free."""
    now = time.time()
    return 1e3 * (server.run(graph=GLIDE, inputs={"steps": 1})["started"] - now)


def with_readers(server: Server) -> tuple[float, float, float]:
    """What twenty readers, one of them stuck, add to a run: its time, the worker's CPU (÷ alone), the server's CPU (share)."""

    def once(seed: int) -> tuple[float, float, float]:
        own, worker = _cpu(server.process.pid), server.children_cpu()
        job = server.run(graph=GLIDE, inputs={"steps": 120, "seed": seed}, cache=False)
        seconds = job["ended"] - job["started"]
        spent = _cpu(server.process.pid) - own
        return seconds, server.children_cpu() - worker, spent / seconds

    once(1_000)
    alone: list[tuple[float, float, float]] = []
    beside: list[tuple[float, float, float]] = []
    for seed in range(5):
        alone.append(once(seed))
        with server.readers(20, stuck=1):
            beside.append(once(100 + seed))
    a, b = ([statistics.median(v) for v in zip(*runs, strict=True)] for runs in (alone, beside))
    return b[0] / a[0], b[1] / a[1], b[2] - a[2]


def saves(server: Server) -> tuple[float, float]:
    """Milliseconds of a save, and of the slowest of thirty, while eight tabs are open and a model computes."""
    tag = server.call("GET", "/graphs/large.yaml")["etag"]
    text, found = large(300), list[float]()
    with server.readers(8), server.computing():
        for number in range(30):
            body = {"text": f"{text}# {number}\n"}
            seconds, told = server.timed("PUT", "/graphs/large.yaml", body, **{"if-match": tag})
            tag = told["etag"]
            found.append(1e3 * seconds)
    return statistics.median(found), max(found)


def measured(server: Server, requests: int) -> Iterator[tuple[str, str, str]]:
    """What is measured, what was found, and what is asked."""
    begun = f"{server.seconds:.2f} s, {server.cpu:.2f} s of CPU"
    yield "start to the first answer", begun, "1.5 s"
    yield "`check` types, first", f"{check(server, GLIDE):.0f} ms", ""
    usual = median(lambda: check(server, GLIDE), 30)
    yield f"`check` types, `{GLIDE}`", f"{usual:.0f} ms", "25 ms"
    large = median(lambda: check(server, "large.yaml"), 20)
    yield "`check` types, 300 nodes", f"{large:.0f} ms", "100 ms"
    yield "memory, torch loaded", f"{server.memory():.0f} MB, {server.torch()}", "150 MB, False"
    cpu = f"{shapes_cpu(server):.0f} ms of CPU"
    yield "`check` shapes after `steps` changed", cpu, "300 ms"
    to_start(server)
    begin = median(lambda: to_start(server), 15)
    yield "request to `job.started`", f"{begin:.0f} ms", "150 ms"
    for kind, found in p99(server, requests).items():
        yield f"p99 of {kind} while a model computes", f"{found:.0f} ms", "100 ms"
    wall, worker, own = with_readers(server)
    told = f"{wall:.3f}; CPU of its worker {worker:.3f}, of the server {own:+.0%} of a core"
    yield "a run beside 20 readers, one stuck, ÷ alone", told, "0.98 … 1.02"
    usual, slowest = saves(server)
    told = f"{usual:.0f}; {slowest:.0f} ms"
    yield "a save, eight tabs, a model; slowest of 30", told, "100 ms"
    yield "memory at the end", f"{server.memory():.0f} MB, {server.torch()}", ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1_000)
    options = parser.parse_args()
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        os.environ.setdefault("NODEGRAPH_CACHE", str(place / "cache"))
        server = Server(place)
        stack.callback(server.process.wait)
        stack.callback(server.process.terminate)
        print("| what | found | asked |\n|---|---|---|")
        for what, found, asked in measured(server, options.requests):
            print(f"| {what} | {found} | {asked} |", flush=True)


if __name__ == "__main__":
    main()
