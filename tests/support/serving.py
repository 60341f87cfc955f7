"""A workspace of toys for tests of the server, and what its tests ask it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.testclient import TestClient

from server.listening import listening

TOKEN = "a token of the tests, long enough"
NODES = '''"""Toys."""

import os
import time
from collections.abc import Generator
from pathlib import Path

from nodegraph import Progress, node
from nodes.wires.pictures import Image


@node(pure=False)
def toy_slow(steps: int = 3, seconds: float = 0.0, value: str = "a", mark: str = "") -> Generator[Progress, None, str]:
    """Takes its time, and leaves a mark when it is done."""
    for step in range(steps):
        yield Progress(step + 1, steps, None, f"loss {1 / (step + 1):.3f}")
        time.sleep(seconds)
    if mark:
        with Path(mark).open("a") as file:
            file.write(value + "\\n")
    return value


@node
def toy_steps(image: Image, steps: int = 3) -> Generator[Progress, None, Image]:
    """Comes out of the dark, step by step."""
    for step in range(steps):
        share = (step + 1) / steps
        yield Progress(step + 1, steps, image, f"loss {1 / (step + 1):.3f}", noisy=image * share * 2)
    return image


@node
def toy_deaf(seconds: float = 30.0) -> str:
    """Does not hear a cancel."""
    time.sleep(seconds)
    return "woke"


@node
def toy_end() -> str:
    """Ends the process."""
    os._exit(9)


@node(pure=False)
def toy_print(said: str = "", ends: bool = False, times: int = 1) -> str:
    """Says something in four ways, and may end the process."""
    import subprocess
    import sys

    for _ in range(times):
        print("out", said)
        print("err", said, file=sys.stderr)
    os.write(2, f"raw {said}\\n".encode())
    subprocess.run(["echo", "child", said])
    if ends:
        os._exit(9)
    return said


@node
def toy_memory() -> str:
    """Wants more than there is."""
    raise MemoryError


@node(pure=False)
def toy_nan() -> float:
    """Comes to no number."""
    return float("nan")


@node(pure=False)
def toy_fork(mark: str = "", ends: bool = True) -> str:
    """Begins a process that outlives it, and holds all that it held."""
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    Path(mark).write_text(str(child))
    if ends:
        os._exit(9)
    time.sleep(60)
    return "woke"
'''
SLOW = """graph: 1
title: slow
inputs: {value: {type: str, default: a}, steps: {type: int, default: 3}, seconds: {type: float, default: 0.0}, mark: {type: str, default: ""}}
nodes: {s: {type: toy_slow, value: $value, steps: $steps, seconds: $seconds, mark: $mark}}
outputs: {said: $s}
"""
SCENE = """graph: 1
title: a scene
inputs: {caption: {type: Text, default: a red circle}}
nodes: {s: {type: shapes_scene, caption: $caption, size: 16}}
outputs: {image: $s}
"""


def ended(client: TestClient, id: str, seconds: float = 60.0) -> dict[str, Any]:
    """A job when it has ended."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        job = client.get(f"/api/v1/jobs/{id}").json()
        if job["state"] in ("done", "failed", "cancelled", "interrupted"):
            return job
        time.sleep(0.05)
    raise AssertionError(f"job {id} did not end: {job['state']}")


@contextmanager
def heard(application: Any, **options: Any) -> Iterator[int]:
    """The port at which an application listens, as browsers find it; `options` are uvicorn's."""
    listener = listening("127.0.0.1", 0, None)
    config = uvicorn.Config(application, log_level="error", timeout_graceful_shutdown=2, **options)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join(30)
