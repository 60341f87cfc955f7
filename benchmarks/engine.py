"""The engine beside Hamilton, dask, a memo loop and plain Python on no-op nodes, in one process: CPU time, medians, in turns.

`python benchmarks/engine.py [--repeats N]`. Node: (k + sum(inputs)) % 1000003. Every result is compared with plain Python's.
Prints tables in Markdown, and which bars are met.
"""

import argparse
import gc
import graphlib
import importlib.util
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b
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
    """CPU seconds of this process."""
    gc.collect()  # what earlier work left is not charged to this one
    started = time.process_time()
    work()
    return time.process_time() - started


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
    cache.memory.clear()
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


def memo_loop(edges: Edges) -> dict[str, float]:
    """The loop that a user would write: graphlib orders, a Merkle key by blake2b finds what is kept in a dictionary."""
    memo: dict[bytes, int] = {}
    graph = dict(enumerate(edges))

    def run() -> int:
        keys: dict[int, bytes] = {}
        for number in graphlib.TopologicalSorter(graph).static_order():
            inputs = [keys[i] for i in edges[number]]
            what = repr(("noop", number, inputs)).encode()
            key = keys[number] = blake2b(what, digest_size=16).digest()
            if key not in memo:
                memo[key] = (number + sum(memo[i] for i in inputs)) % MODULUS
        return memo[keys[len(edges) - 1]]

    cold = timed(run)
    assert run() == plain(edges)
    return {"cold": cold, "cached": timed(run)}


def plain_python(edges: Edges) -> dict[str, float]:
    return {"cold": timed(lambda: plain(edges))}


def medians(
    engines: Mapping[str, Callable[[Edges], dict[str, float]]], edges: Edges, repeats: int
) -> dict[str, dict[str, float]]:
    """Of each engine, in CPU seconds; they take turns, so that a slow minute slows all of them."""
    rows = [{name: measure(edges) for name, measure in engines.items()} for _ in range(repeats)]
    return {
        name: {what: statistics.median(row[name][what] for row in rows) for what in rows[0][name]}
        for name in engines
    }


Found = dict[tuple[str, int], dict[str, dict[str, float]]]


def bars(found: Found) -> Iterator[str]:
    """What was asked of the engine, and whether it was met."""
    ours = found["chain", 1_000]["nodegraph"]
    load = ours["load + check"] / 1_000 * 1e6
    asked: list[tuple[str, float, float]] = []
    if "dask.get" in found["chain", 1_000]:
        dask = found["chain", 1_000]["dask.get"]
        asked.append(("cold ÷ dask", ours["cold"] / dask["cold"], 0.42))
    memo = found["chain", 1_000]["memo loop"]
    asked.append(("kept ÷ memo loop", ours["cached"] / memo["cached"], 1.3))
    asked.append(("load + check, µs a node", load, 60))
    for what in ("load + check", "cold", "cached"):
        growth = found["chain", 10_000]["nodegraph"][what] / ours[what] / 10
        asked.append((f"{what}: a node of 10,000 ÷ of 1,000", growth, 1.25))
    for what, value, most in asked:
        met = "met" if value <= most else "**missed**"
        yield f"| {what} | {value:.2f} | ≤ {most:g} | {met} |"


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
    """CPU seconds of `nodegraph --help`."""
    command = [sys.executable, "-m", "nodegraph", "--help"]
    seconds: list[float] = []
    for _ in range(repeats):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(seconds)


def chosen(count: int, shape: str) -> dict[str, Callable[[Edges], dict[str, float]]]:
    """The engines that are installed, but for those that a graph is too large for."""
    engines: dict[str, Callable[[Edges], dict[str, float]]] = {
        "nodegraph": ours,
        "memo loop": memo_loop,
        "plain Python": plain_python,
    }
    if importlib.util.find_spec("dask"):
        engines["dask.get"] = dask_get
    # Hamilton exceeds Python's recursion limit in lines, and grows quadratically in wide nodes.
    small = count <= 100 or (count == 1_000 and shape == "scattered")
    if importlib.util.find_spec("hamilton") and small:
        engines["Hamilton"] = hamilton_execute
    return engines


def rows(name: str, count: int, found: Mapping[str, dict[str, float]]) -> Iterator[str]:
    for engine, row in found.items():
        cells = [f"{row['load + check']:.3f}" if "load + check" in row else ""]
        cells += [
            f"{row[k] / count * 1e6:.1f}" if k in row else ""
            for k in ("cold", "cached", "one change")
        ]
        yield f"| {name} {count:,} | {engine} | {' | '.join(cells)} |"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    titles = ("load + check s", "cold µs/node", "cached µs/node", "one change µs/node")
    print(f"| graph | engine | {' | '.join(titles)} |\n|---|---|--:|--:|--:|--:|")
    found: Found = {}
    for shape in (chain, wide, scattered):
        name = shape.__name__
        for count in (100, 1_000, 10_000):
            engines = chosen(count, name)
            found[name, count] = medians(engines, shape(count), repeats)
            print(*rows(name, count, found[name, count]), sep="\n", flush=True)
    print("\n| chain of 1,000, CPU time | found | asked | |\n|---|--:|--:|---|")
    print(*bars(found), sep="\n")
    hit, read = disk_hit(500)
    print(f"\na disk hit: {hit * 1e3:.2f} ms, of which {read * 1e3:.2f} ms read its files")
    print(f"\n`nodegraph --help`: {start_up(repeats):.2f} s")


if __name__ == "__main__":
    main()
