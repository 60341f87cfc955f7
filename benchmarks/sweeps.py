"""What 64 prompts cost together and one by one: CPU seconds of one process, the models loaded before.

`OMP_NUM_THREADS=1 python benchmarks/sweeps.py [--steps N] [--repeats N]`: medians, in Markdown; each is a process of its own.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

GRAPH = "glide/text_to_image"
WAYS = ("one by one", "in groups of 8")


def outcomes(way: str, steps: int) -> Iterator[Any]:
    """The cells of the sweep as they come to their ends."""
    from nodegraph.executors.here import Here
    from nodegraph.executors.place import swept
    from nodegraph.language.axes import python_axes
    from nodegraph.options import Options
    from nodegraph.session import Job, Session
    from nodegraph.sweep import Outcome, Sweep
    from nodes.shapes.world import COLOURS, SHAPES

    session, job = Session(), Job({"steps": steps}, options=Options(cached=False))
    prompts = [f"a {colour} {shape}" for colour in COLOURS for shape in SHAPES]
    opened = session.open(GRAPH)
    warm = Sweep(
        session, opened, Job({"steps": 2}, options=job.options), python_axes({"seed": [1]})
    )
    for cell in warm.cells():
        list(warm.run(cell, write=False))
    yield None
    sweep = Sweep(session, opened, job, python_axes({"prompt": prompts}))
    if way == WAYS[0]:
        told = (event for cell in sweep.cells() for event in sweep.run(cell, write=False))
    else:
        told = (event for _, event in swept(sweep, Here(session)))
    yield from (event for event in told if isinstance(event, Outcome))


def measured(way: str, steps: int) -> float:
    """CPU seconds of all cells."""
    found = outcomes(way, steps)
    next(found)
    started = time.process_time()
    count = sum(outcome.fault is None for outcome in found)
    seconds = time.process_time() - started
    assert count == 64, count
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--way", choices=WAYS)
    given = parser.parse_args()
    if given.way:
        print(json.dumps(measured(given.way, given.steps)))
        return
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(given.repeats):
        for way in WAYS:
            command = [sys.executable, __file__, "--way", way, "--steps", str(given.steps)]
            child = subprocess.run(command, check=True, capture_output=True, text=True)
            seconds[way].append(json.loads(child.stdout.splitlines()[-1]))
    alone, together = (statistics.median(seconds[way]) for way in WAYS)
    print("| 64 prompts | CPU s |\n|---|--:|")
    print(f"| {WAYS[0]} | {alone:.1f} |\n| {WAYS[1]} | {together:.1f} |")
    print(f"\n{alone / together:.2f} times")


if __name__ == "__main__":
    main()
