"""What a cell costs on Ray beside one in this process, and what travels: constants for docs/cluster.md.

`OMP_NUM_THREADS=1 python benchmarks/cluster.py [--cells N] [--repeats N]`: medians, in Markdown.
"""

import argparse
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nodegraph
from nodegraph.executors.cluster import Ray
from nodegraph.executors.here import Here
from nodegraph.executors.place import swept
from nodegraph.executors.processes import Processes
from nodegraph.executors.share import Executor, shares_of
from nodegraph.language.axes import python_axes
from nodegraph.runtime.events import Loaded
from nodegraph.runtime.parcel import parcel
from nodegraph.session import Job
from nodegraph.sweep import Outcome, Sweep

SCENES = """graph: 1
inputs: {seed: {type: Seed, default: 0}}
nodes: {scene: {type: shapes_scene, caption: a red circle, seed: $seed, size: SIZE}}
outputs: {image: $scene}
"""


def sweep_of(loaded: Any, inputs: dict[str, Any], **axes: Any) -> Sweep:
    return Sweep(
        loaded.session, loaded.opened, Job(inputs, options=loaded.options), python_axes(axes)
    )


def scenes(cells: int, size: int, out: str = "out") -> Sweep:
    """Cells that compute next to nothing: what they cost is what it costs to hand them out and to bring them back."""
    loaded = nodegraph.loads(SCENES.replace("SIZE", str(size)), cached=False, out=out)
    return sweep_of(loaded, {}, seed=range(cells))


def spent(sweep: Sweep, place: Executor, files: bool = False) -> tuple[float, float]:
    """Seconds of all cells, with what came out of them, and those of this process's CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    done = [event for _, event in swept(sweep, place, files) if isinstance(event, Outcome)]
    assert all(outcome.fault is None for outcome in done)
    assert len(done) == len(sweep)
    return time.perf_counter() - wall, time.process_time() - cpu


def loads_of(place: Executor) -> Iterator[Loaded]:
    """The models that two cells of GLIDE's graph make two workers load."""
    loaded = nodegraph.load("glide/text_to_image", cached=False)
    sweep = sweep_of(loaded, {"steps": 2}, guidance=[2.0, 3.0, 4.0, 5.0])
    for _, event in place.run(shares_of(sweep)):
        if isinstance(event, Loaded):
            yield event


def packet_bytes(size: int) -> int:
    """Bytes of what comes out of a cell, as it travels: a picture of a size."""
    loaded = nodegraph.loads(SCENES.replace("SIZE", str(size)), cached=False)
    prepared = loaded.session.prepare(loaded.opened, Job(options=loaded.options))
    outputs = {"image": loaded().image}
    with TemporaryDirectory() as folder:
        laid = parcel(prepared.program, loaded.session.registry, outputs, Path(folder))
        packet = laid and laid.packet()
        assert packet is not None
        return len(packet.content)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    sweep, warm = scenes(given.cells, 32), scenes(4, 32)
    found: dict[str, list[tuple[float, float]]] = {}
    starts: dict[str, float] = {}
    with Processes(1) as one, Ray() as ray, TemporaryDirectory() as out:
        places: dict[str, Executor] = {"here": Here(sweep.session), "processes:1": one, "ray": ray}
        written = scenes(given.cells, 256, out)
        for name, place in places.items():
            starts[name] = spent(warm, place)[0]
        for _ in range(given.repeats):
            for name, place in places.items():
                found.setdefault(name, []).append(spent(sweep, place))
            found.setdefault("ray, 256 × 256, written", []).append(spent(written, ray, True))
        loads = list(loads_of(ray))
        print(f"{given.cells} cells, {ray.count} workers of Ray\n")
    print("| place | first use, s | ms a cell | beside here | CPU ms of this process |")
    print("|---|--:|--:|--:|--:|")
    here = statistics.median(wall for wall, _ in found["here"]) / given.cells * 1e3
    for name, times in found.items():
        wall, cpu = (
            statistics.median(kind) / given.cells * 1e3 for kind in zip(*times, strict=True)
        )
        start = f"{starts[name]:.1f}" if name in starts else ""
        print(f"| {name} | {start} | {wall:.1f} | {wall - here:+.1f} | {cpu:.1f} |")
    print("\n| what travels | bytes |\n|---|--:|")
    for size in (32, 64, 256):
        print(f"| a picture of {size} × {size} | {packet_bytes(size):,} |")
    print("\n| model | loads | s, median |\n|---|--:|--:|")
    for model in sorted({load.model for load in loads}):
        times = [load.seconds for load in loads if load.model == model]
        print(f"| {model} | {len(times)} | {statistics.median(times):.2f} |")


if __name__ == "__main__":
    main()
