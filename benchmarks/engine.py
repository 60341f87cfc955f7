"""The engine beside Hamilton, dask and plain Python on no-op nodes, in one run; medians. Prints a table in Markdown.

`python benchmarks/engine.py [--repeats N]`. Node: (k + sum(inputs)) % 1000003. Every result is compared with plain Python's.
"""

import argparse
import gc
import importlib.util
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nodegraph.base.paths import Sandbox
from nodegraph.language.compile import compile_graph
from nodegraph.language.source import SourceText
from nodegraph.library.node import node
from nodegraph.library.port import TypeRef
from nodegraph.library.registry import from_modules
from nodegraph.runtime.cache import Cache, Disk, Kept, Memory
from nodegraph.runtime.context import RunContext
from nodegraph.runtime.engine import Engine
from nodegraph.runtime.events import Completed

MODULUS = 1_000_003
Edges = list[list[int]]


@node(category="benchmark")
def noop(k: int, inputs: list[int] = []) -> int:  # noqa: B006
    """One node of the benchmark."""
    return (k + sum(inputs)) % MODULUS


def chain(count: int) -> Edges:
    return [[i - 1] if i else [] for i in range(count)]


def wide(count: int) -> Edges:
    return [[], *[[0] for _ in range(count - 2)], list(range(1, count - 1))]


def scattered(count: int) -> Edges:
    rng = random.Random(0)
    return [rng.sample(range(i), min(2, i)) for i in range(count)]


def yaml_of(edges: Edges, changed: int | None = None) -> str:
    lines = ["graph: 1", "nodes:"]
    for number, inputs in enumerate(edges):
        k = number + (MODULUS // 2 if number == changed else 0)
        wires = ", ".join(f"$n{i}" for i in inputs)
        lines += [
            f"  n{number}:",
            "    type: noop",
            f"    note: node number {number}",
            f"    k: {k}",
            f"    inputs: [{wires}]",
            "",
        ]
    return "\n".join([*lines, f"outputs: {{out: $n{len(edges) - 1}}}", ""])


def plain(edges: Edges) -> int:
    values: list[int] = []
    for number, inputs in enumerate(edges):
        values.append((number + sum(values[i] for i in inputs)) % MODULUS)
    return values[-1]


def timed(work: Callable[[], object]) -> float:
    gc.collect()  # what earlier work left is not charged to this one
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def ours(edges: Edges) -> dict[str, float]:
    registry = from_modules([sys.modules[__name__]])
    text, changed = yaml_of(edges), yaml_of(edges, len(edges) // 2)
    load = timed(lambda: compile_graph(SourceText("b.yaml", text), registry).checked())
    program = compile_graph(SourceText("b.yaml", text), registry).checked()
    other = compile_graph(SourceText("b.yaml", changed), registry).checked()
    cache = Cache(Memory(entries=4 * len(edges)))
    engine = Engine(registry, RunContext(Sandbox((), Path())), cache)

    def run(what: object) -> int:
        *_, last = engine.run(what)  # type: ignore[arg-type]
        assert isinstance(last, Completed)
        return last.outputs["out"]

    assert run(program) == plain(edges)
    cache.memory._held.clear()
    times = {
        "load + check": load,
        "cold": timed(lambda: run(program)),
        "cached": timed(lambda: run(program)),
    }
    return {**times, "one change": timed(lambda: run(other))}


def dask_get(edges: Edges) -> dict[str, float]:
    import dask

    graph = {
        f"n{i}": (lambda k, xs: (k + sum(xs)) % MODULUS, i, [f"n{j}" for j in xs])
        for i, xs in enumerate(edges)
    }
    last = f"n{len(edges) - 1}"
    assert dask.get(graph, last) == plain(edges)
    return {"cold": timed(lambda: dask.get(graph, last))}


def hamilton_execute(edges: Edges) -> dict[str, float]:
    from hamilton import ad_hoc_utils, driver

    scope: dict[str, Any] = {}
    for number, inputs in enumerate(edges):
        names = ", ".join(f"n{i}: int" for i in inputs)
        total = " + ".join(["0", *[f"n{i}" for i in inputs]])
        exec(
            f"def n{number}({names}) -> int:\n    return ({number} + {total}) % {MODULUS}\n", scope
        )
    functions = [scope[f"n{number}"] for number in range(len(edges))]
    module = ad_hoc_utils.create_temporary_module(
        *functions, module_name=f"bench_nodes_{len(sys.modules)}"
    )
    made = driver.Builder().with_modules(module).build()
    last = f"n{len(edges) - 1}"
    assert made.execute([last])[last] == plain(edges)
    return {"cold": timed(lambda: made.execute([last]))}


def plain_python(edges: Edges) -> dict[str, float]:
    return {"cold": timed(lambda: plain(edges))}


def median(
    measure: Callable[[Edges], dict[str, float]], edges: Edges, repeats: int
) -> dict[str, float]:
    rows = [measure(edges) for _ in range(repeats)]
    return {name: statistics.median(row[name] for row in rows) for name in rows[0]}


def disk_hit(count: int) -> tuple[float, float]:
    """Seconds to find one result on disk, verified and read, and to read its files alone: medians over `count` results."""
    registry = from_modules([sys.modules[__name__]])
    program = compile_graph(SourceText("b.yaml", yaml_of(chain(count))), registry).checked()
    context = RunContext(Sandbox((), Path()))
    with tempfile.TemporaryDirectory() as folder:
        disk = Disk(Path(folder), registry)
        making = Engine(registry, context, Cache(disk=disk, worth=-1.0))
        *_, last = making.run(program)
        assert isinstance(last, Completed)
        keys = making.keyed(program).keys
        cache = Cache(disk=disk)
        hits = [timed(lambda k=k: cache.get(k, (TypeRef("int"),))) for k in keys]
        assert cache.memory.get(keys[-1]) == Kept((last.outputs["out"],))
        files = [[p for p in disk.path(key).rglob("*") if p.is_file()] for key in keys]
        reads = [timed(lambda f=f: [path.read_bytes() for path in f]) for f in files]
    return statistics.median(hits), statistics.median(reads)


def start_up(repeats: int) -> float:
    command = [str(Path(sys.executable).with_name("nodegraph")), "--help"]
    return statistics.median(
        timed(lambda: subprocess.run(command, capture_output=True, check=True))
        for _ in range(repeats)
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    engines: dict[str, Callable[[Edges], dict[str, float]]] = {
        "nodegraph": ours,
        "plain Python": plain_python,
    }
    if importlib.util.find_spec("dask"):
        engines["dask.get"] = dask_get
    if importlib.util.find_spec("hamilton"):
        engines["Hamilton"] = hamilton_execute
    print(
        "| graph | engine | load + check s | cold µs/node | cached µs/node | one change µs/node |"
    )
    print("|---|---|--:|--:|--:|--:|")
    for shape in (chain, wide, scattered):
        for count in (100, 1_000, 10_000):
            for name, measure in engines.items():
                if name == "Hamilton" and (
                    count > 1_000 or (count == 1_000 and shape is not scattered)
                ):
                    continue  # recursion limit in lines, quadratic in wide nodes
                row = median(measure, shape(count), repeats)
                cells = [f"{row['load + check']:.3f}" if "load + check" in row else ""]
                cells += [
                    f"{row[k] / count * 1e6:.1f}" if k in row else ""
                    for k in ("cold", "cached", "one change")
                ]
                print(f"| {shape.__name__} {count:,} | {name} | {' | '.join(cells)} |", flush=True)
    hit, read = disk_hit(500)
    print(f"\na disk hit: {hit * 1e3:.2f} ms, of which {read * 1e3:.2f} ms read its files")
    print(f"\n`nodegraph --help`: {start_up(repeats):.2f} s")


if __name__ == "__main__":
    main()
