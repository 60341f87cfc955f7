"""What tests of executors share: sweeps, what the nodes of `marking` wrote down in the file `log`, and workers that are killed."""

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import nodegraph
from nodegraph.api import LoadedGraph
from nodegraph.executors.pool import Pool
from nodegraph.executors.share import shares_of
from nodegraph.language.axes import python_axes
from nodegraph.runtime.events import Started
from nodegraph.session import Job
from nodegraph.sweep import Outcome, Sweep

PICTURES = """graph: 1
inputs:
  caption: {type: Text, default: a red circle}
  seed: {type: Seed, default: 0}
nodes:
  scene: {type: shapes_scene, caption: $caption, seed: $seed, size: 32}
outputs: {image: $scene}
"""


def sweep_of(loaded: LoadedGraph, inputs: dict[str, Any] | None = None, **axes: Any) -> Sweep:
    job = Job(inputs or {}, options=loaded.options)
    return Sweep(loaded.session, loaded.opened, job, python_axes(axes))


def lines() -> list[str]:
    """What the nodes wrote down."""
    return Path("log").read_text("utf-8").splitlines() if Path("log").exists() else []


def _beginnings() -> list[tuple[int, int]]:
    words = (line.split() for line in lines() if line.startswith("begins"))
    return [(int(number), int(pid)) for _, number, pid in words]


def begun() -> Counter[int]:
    """How often each number was begun."""
    return Counter(number for number, _ in _beginnings())


def pids() -> dict[int, int]:
    """The process that last began each number."""
    return dict(_beginnings())


def until(found: Callable[[], Any], seconds: float = 120.0) -> Any:
    """What is found, when there is something."""
    end = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)
    return value


def same_bytes(place: Pool) -> None:
    """64 cells give what they give in this process."""
    scenes = nodegraph.loads(PICTURES, cached=False)
    axes = {"caption": ["a red circle", "a blue star"], "seed": range(32)}
    here = [(dict(inputs), result.image) for inputs, result in scenes.each(**axes)]
    there = [(dict(inputs), result.image) for inputs, result in scenes.each(on=place, **axes)]
    assert len(here) == 64
    assert [inputs for inputs, _ in here] == [inputs for inputs, _ in there]
    assert all((a == b).all() for (_, a), (_, b) in zip(here, there, strict=True))
    assert len({image.numpy().tobytes() for _, image in here}) > 40


def killed_at_random(
    place: Pool, sweep: Sweep, kills: int, amid: set[int], pause: float
) -> list[int]:
    """Kill so many workers of a place that does not give up: some `amid` cells, the others within pauses.

    Then none of the 64 squares of a sweep is lost, and none that had finished was repeated. Gives the processes killed.
    """
    chance, found, when_done = random.Random(7), dict[int, Outcome](), dict[int, int]()
    amid, killed = {*amid}, list[int]()

    def kill(pid: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)

    def at_any_moment() -> None:
        while len(killed) < kills - len(amid):
            time.sleep(chance.uniform(0, pause))
            until(lambda: not {*place.pids} <= {*killed, 0})
            if left := [pid for pid in place.pids if pid not in (*killed, 0)]:
                kill(chance.choice(left))

    thread = threading.Thread(target=at_any_moment)
    for cell, event in place.run(shares_of(sweep)):
        if isinstance(event, Started) and cell.number in amid:
            amid.discard(cell.number)
            until(lambda n=cell.number: begun()[n] > 0)
            kill(pids()[cell.number])
            if not thread.ident:
                thread.start()
        if isinstance(event, Outcome):
            assert cell.number not in found
            found[cell.number], when_done[cell.number] = event, begun()[cell.number]
    thread.join()
    assert sorted(found) == list(range(64))
    assert all(o.fault is None and o.written == {"n": n * n} for n, o in found.items())
    assert begun().total() > 64
    assert when_done == dict(begun())
    return killed
