"""Workers on Ray, two on this machine: the bytes of `here`, models that stay loaded, and what is killed runs again elsewhere."""

import json
import os
import random
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import marking
import pytest
from executing import begun, killed_at_random, lines, same_bytes, sweep_of
from typer.testing import CliRunner

import nodegraph
from nodegraph.api import LoadedGraph
from nodegraph.base.diagnostics import Cancelled, GraphWarning
from nodegraph.cli import app
from nodegraph.executors import cluster
from nodegraph.executors.cluster import Machines, Ray, machines_of
from nodegraph.executors.place import executor
from nodegraph.executors.pool import Pool
from nodegraph.executors.share import shares_of
from nodegraph.executors.tasks import NoPlace
from nodegraph.runtime.events import Finished, Loaded, Stepped

NODES = Path(marking.__file__)
TEXT = """graph: 1
inputs:
  a: {type: int, default: 1}
  seconds: {type: float, default: 0}
nodes:
  n: {type: squared, a: $a, seconds: $seconds, log: LOG}
outputs: {n: $n}
"""


@pytest.fixture(scope="module")
def two(cache: Path) -> Iterator[Ray]:
    """Ray with two workers, begun once for all tests here."""
    with pytest.MonkeyPatch.context() as patch, Ray() as ray:
        patch.setenv("NODEGRAPH_CACHE", str(cache))
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setattr("nodegraph.executors.cluster.cores_here", lambda: 2)
        yield ray


def graph(text: str = TEXT) -> LoadedGraph:
    Path("g.yaml").write_text(text.replace("LOG", str(Path("log").absolute())), "utf-8")
    return nodegraph.load("g.yaml", nodes=[NODES], cached=False)


def test_ray_and_this_process_give_the_same_bytes(place: Path, two: Ray) -> None:
    same_bytes(two)
    assert len({*two.pids} - {os.getpid()}) == 2


def test_a_model_is_loaded_once_in_each_worker(place: Path, two: Ray, bundles: Path) -> None:
    loaded = nodegraph.load("glide/text_to_image", cached=False)
    inputs = {"models": str(bundles / "glide"), "steps": 2}
    loads, ran = Counter[str](), Counter[str]()
    for first in (2.0, 6.0):
        sweep = sweep_of(loaded, inputs, guidance=[first + n for n in range(4)])
        for _, event in two.run(shares_of(sweep)):
            if isinstance(event, Loaded):
                loads[Path(event.model).name] += 1
            if isinstance(event, Finished):
                ran[event.node] += 1
    assert ran["small"] == 8
    assert loads == {"base": 2, "upsample": 2}


def killed(two: Ray, kills: int, seconds: float) -> None:
    """Kill so many workers, half of them in the middle of a cell; one that was hit twice counts once."""
    amid = set(random.Random(7).sample(range(2, 60), (kills + 1) // 2))
    sweep = sweep_of(graph(), {"seconds": seconds}, a=range(64))
    two.tries = 99
    found = killed_at_random(two, sweep, kills, amid, 4 * seconds)
    two.tries = 3
    assert len({*found}) >= kills - 1


@pytest.mark.soak
def test_kills_lose_no_cell_and_repeat_none_that_had_finished(place: Path, two: Ray) -> None:
    killed(two, 3, 0.02)


@pytest.mark.soak
def test_twenty_kills_lose_no_cell_and_repeat_none_that_had_finished(place: Path, two: Ray) -> None:
    killed(two, 20, 0.2)


def test_a_cell_that_kills_its_process_is_a_failed_row(place: Path, two: Ray) -> None:
    text = TEXT.replace("type: squared", "type: deadly").replace(", seconds: $seconds", "")
    text = text.replace("  seconds: {type: float, default: 0}\n", "")
    two.tries = 2
    found = graph(text).each(a=[12, 13, 14], on=two)
    with pytest.warns(GraphWarning, match="cell 1 .* failed: E503 lost-worker"):
        assert [result.n for _, result in found] == [12, 14]
    two.tries = 3
    rows = found.table()
    assert [row["status"] for row in rows] == ["done", "failed", "done"]
    assert "was lost" in str(rows[1]["message"])
    assert begun() == {12: 1, 13: 2, 14: 1}


def test_a_cancelled_run_leaves_its_workers_warm(place: Path, two: Ray) -> None:
    text = TEXT.replace("type: squared", "type: stepping").replace(", seconds: $seconds", "")
    sweep = sweep_of(graph(text.replace("  seconds: {type: float, default: 0}\n", "")), {}, a=[1])
    with pytest.raises(Cancelled):
        for _, event in two.run(shares_of(sweep)):
            if isinstance(event, Stepped):
                two.cancel()
    pids = {*two.pids}
    assert [r.n for _, r in graph().each(a=[3], on=two)] == [9]
    assert {*two.pids} & pids


def test_only_on_ray_is_ray_imported(place: Path) -> None:
    graph()
    text = f"""
import sys
import nodegraph
loaded = nodegraph.load("g.yaml", nodes=[{str(NODES)!r}])
assert [r.n for _, r in loaded.each(a=[2, 3])] == [4, 9]
import nodegraph.cli, nodegraph.executors.place as place
place.executor("ray://10.0.0.1:6379", loaded.session)
assert "nodegraph.executors.cluster" in sys.modules
assert "ray" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", text], check=True)


def test_without_ray_the_package_is_named(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = graph()
    monkeypatch.setattr(cluster, "find_spec", lambda name: None)
    with pytest.raises(NoPlace, match=r"E505 no-package: ray .* pip install 'nodegraph\[ray\]'"):
        loaded.each(a=[1], on="ray")
    command = ["run", "g.yaml", "--nodes", str(NODES), "--each", "a=[1]", "--on", "ray://h:6379"]
    told = CliRunner().invoke(app, command)
    assert told.exit_code == 2
    assert "E505 no-package: ray://h:6379 needs a package" in told.stderr
    assert not lines()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("ray:2", "say ray, or ray://HOST:6379"),
        ("ray://", "say ray, or ray://HOST:6379"),
        ("ray://a b:1", "say ray, or ray://HOST:6379"),
        ("ray://host:0", "ray://host:6379"),
        ("ray://host:70000", "ray://host:6379"),
        ("ray://host:10001", "ray://host:6379"),
    ],
)
def test_addresses_that_are_none_are_told_with_the_mend(place: Path, name: str, hint: str) -> None:
    with pytest.raises(NoPlace) as raised:
        executor(name, graph().session)
    assert "E504 no-place" in str(raised.value)
    assert hint in str(raised.value)


def test_addresses_of_heads(place: Path) -> None:
    session = graph().session
    found = {name: executor(name, session) for name in ("ray", "ray://h", "ray://[::1]:7000")}
    assert [getattr(one, "address", None) for one in found.values()] == ["", "h:6379", "[::1]:7000"]


def test_workers_are_cards_or_groups_of_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    def node(alive: bool = True, **resources: float) -> dict[str, Any]:
        return {"Alive": alive, "Resources": resources}

    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    head = node(CPU=16)
    assert machines_of([head, node(CPU=6)]) == Machines(5, 0, 4, 4)
    assert machines_of([node(CPU=2)]) == Machines(1, 0, 2, 2)
    assert machines_of([head, node(CPU=16, GPU=1), node(CPU=64, GPU=8)]) == Machines(9, 1, 0, 8)
    assert machines_of([head, node(False, CPU=16, GPU=4)]) == Machines(4, 0, 4, 4)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert machines_of([head]) == Machines(16, 0, 1, 1)
    assert machines_of([]) == Machines(0, 0, 1, 1)


def test_the_command_line_prints_results_alone(place: Path, two: Ray) -> None:
    graph()
    Pool.close(two)  # its workers have all cores
    options = ["--each", "a=[2, 3]", "--on", "ray", "--nodes", str(NODES), "--json", "--no-cache"]
    told = CliRunner().invoke(app, ["run", "g.yaml", *options])
    assert told.exit_code == 0, told.stderr
    assert [row["n"] for row in json.loads(told.stdout)["cells"]] == [4, 9]


LOST = """
import nodegraph
from ray.cluster_utils import Cluster
from nodegraph.executors.cluster import Ray
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
other = cluster.add_node(num_cpus=1)
loaded = nodegraph.load("g.yaml", nodes=[NODES], cached=False)
with Ray(address=cluster.address) as ray:
    found = []
    for inputs, result in loaded.each({"seconds": 0.2}, a=range(40), on=ray):
        found.append(result.n)
        if len(found) == 1:
            assert ray.count == 2
        if len(found) == 12:
            cluster.remove_node(other, allow_graceful=False)
assert found == [a * a for a in range(40)]
cluster.shutdown()
"""


@pytest.mark.soak
def test_a_machine_that_is_lost_costs_the_cell_that_it_was_at(place: Path) -> None:
    graph()
    subprocess.run([sys.executable, "-c", LOST.replace("NODES", repr(str(NODES)))], check=True)
    assert set(begun()) == set(range(40))
    assert begun().total() <= 42
    assert len({line.split()[2] for line in lines() if line.startswith("begins")}) >= 2


def test_a_head_that_does_not_answer_is_told_at_once(place: Path) -> None:
    graph()
    on = ["--on", "ray://127.0.0.1:9", "--nodes", str(NODES), "--each", "a=[1]"]
    command = [sys.executable, "-m", "nodegraph", "run", "g.yaml", *on]
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert told.returncode == 2
    assert "E504 no-place: ray://127.0.0.1:9 does not answer" in told.stderr
    assert "Connection refused" in told.stderr


@pytest.mark.soak
def test_a_port_behind_which_there_is_no_head_is_told(place: Path) -> None:
    graph()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        name = f"ray://127.0.0.1:{silent.getsockname()[1]}"
        on = ["--on", name, "--nodes", str(NODES), "--each", "a=[1]"]
        command = [sys.executable, "-m", "nodegraph", "run", "g.yaml", *on]
        told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert told.returncode == 2
    assert f"E504 no-place: {name} does not answer" in told.stderr
