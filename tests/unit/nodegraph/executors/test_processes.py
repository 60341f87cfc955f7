"""Workers: what is killed runs again and nothing else does, what kills is a failed row, and nothing outlives its parent."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import marking
import pytest
from executing import PICTURES, begun, killed_at_random, lines, pids, same_bytes, sweep_of, until

import nodegraph
from nodegraph.api import LoadedGraph
from nodegraph.base.diagnostics import Cancelled, GraphError, GraphWarning
from nodegraph.executors.here import Here
from nodegraph.executors.place import executor, swept
from nodegraph.executors.processes import Processes
from nodegraph.executors.share import shares_of
from nodegraph.executors.tasks import NoPlace, Unsendable
from nodegraph.runtime.events import Finished, Loaded, Started, Stepped
from nodegraph.sweep import Outcome

NODES = Path(marking.__file__)
TEXT = """graph: 1
inputs:
  a: {type: int, default: 1}
  seconds: {type: float, default: 0}
nodes:
  n: {type: TYPE, a: $a, log: LOG}
outputs: {n: $n}
"""
CROWDED = """graph: 1
inputs: {a: {type: Text, default: x}}
nodes: {n: {type: crowded, text: $a, log: LOG}}
outputs: {n: $n}
"""


@pytest.fixture(scope="module")
def warm(cache: Path) -> Iterator[Processes]:
    """Two workers that have begun already."""
    with Processes(2) as workers, pytest.MonkeyPatch.context() as patch:
        patch.setenv("NODEGRAPH_CACHE", str(cache))
        patch.setenv("OMP_NUM_THREADS", "1")
        loaded = nodegraph.loads(PICTURES)
        assert len(list(loaded.each(seed=range(2), on=workers))) == 2
        yield workers


def graph(kind: str, seconds: bool = False, cached: bool = True) -> LoadedGraph:
    text = TEXT.replace("TYPE", kind).replace("LOG", str(Path("log").absolute()))
    if seconds:
        text = text.replace("a: $a,", "a: $a, seconds: $seconds,")
    else:
        text = text.replace("  seconds: {type: float, default: 0}\n", "")
    Path("g.yaml").write_text(text, "utf-8")
    return nodegraph.load("g.yaml", nodes=[NODES], cached=cached)


def alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@pytest.fixture
def two() -> Iterator[Processes]:
    with Processes(2, tries=99) as workers:
        yield workers


@pytest.mark.slow
def test_twenty_kills_lose_no_cell_and_repeat_none_that_had_finished(
    place: Path, two: Processes
) -> None:
    sweep = sweep_of(graph("squared", seconds=True, cached=False), {"seconds": 0.2}, a=range(64))
    killed = killed_at_random(two, sweep, 20, {2, 12, 22, 32, 42, 52}, 0.8)
    assert len(killed) == 20 == len({*killed})


def test_workers_and_this_process_give_the_same_bytes(place: Path, warm: Processes) -> None:
    same_bytes(warm)


def test_a_model_is_loaded_once_in_each_worker(place: Path, warm: Processes, bundles: Path) -> None:
    loaded = nodegraph.load("glide/text_to_image", cached=False)
    inputs = {"models": str(bundles / "glide"), "steps": 2}
    loads, ran = Counter[str](), Counter[str]()
    apart = {"guidance": [2.0, 3.0, 4.0, 5.0, 6.0]}
    for _, event in warm.run(shares_of(sweep_of(loaded, inputs, **apart))):
        if isinstance(event, Loaded):
            loads[Path(event.model).name] += 1
        if isinstance(event, Finished):
            ran[event.node] += 1
    assert ran["small"] == 5
    assert loads == {"base": 2, "upsample": 2}


def test_cells_that_run_together_are_the_same_everywhere(
    place: Path, warm: Processes, bundles: Path
) -> None:
    loaded = nodegraph.load("glide/text_to_image", cached=False)
    inputs = {"models": str(bundles / "glide"), "steps": 2}
    axes = {"prompt": ["a red circle", "a blue star"], "seed": range(5)}
    assert [len(share.cells) for share in shares_of(sweep_of(loaded, inputs, **axes))] == [8, 2]
    here = [result.image for _, result in loaded.each(inputs, **axes)]
    there = [result.image for _, result in loaded.each(inputs, on=warm, **axes)]
    assert len(here) == 10
    assert all((a == b).all() for a, b in zip(here, there, strict=True))


def test_cells_that_kill_their_process_together_run_alone(place: Path) -> None:
    Path("g.yaml").write_text(CROWDED.replace("LOG", str(Path("log").absolute())), "utf-8")
    with Processes(1) as workers:
        found = nodegraph.load("g.yaml", nodes=[NODES]).each(a=["a", "to", "the"], on=workers)
        sizes = [result.n.values.shape for _, result in found]
    assert sizes == [(1, 2)] * 3
    assert lines() == ["crowded 3", "crowded 3", "crowded 1", "crowded 1", "crowded 1"]


def test_a_cell_that_kills_its_process_is_a_failed_row(place: Path) -> None:
    with Processes(1, tries=2) as workers:
        found = graph("deadly").each(a=[12, 13, 14], on=workers)
        with pytest.warns(GraphWarning, match="cell 1 .* failed: E503 lost-worker"):
            assert [result.n for _, result in found] == [12, 14]
    rows = found.table()
    assert [row["status"] for row in rows] == ["done", "failed", "done"]
    assert "the process that ran this was killed (SIGKILL), each of 2 times" in str(
        rows[1]["message"]
    )
    assert begun() == {12: 1, 13: 2, 14: 1}


def test_impure_nodes_run_once_a_cell_and_prints_go_elsewhere(place: Path, warm: Processes) -> None:
    pids = warm.pids
    assert sorted(r.n for _, r in graph("counted").each(a=[5, 5, 6], on=warm)) == [1, 2, 3]
    assert [r.n for _, r in graph("printed").each(a=[1, 2], on=warm)] == [1, 2]
    assert lines()[3:] == ["read ''"] * 2
    assert warm.pids == pids


def test_a_live_value_is_made_again_here(place: Path, warm: Processes, bundles: Path) -> None:
    text = """graph: 1
inputs: {steps: {type: Steps, default: 4}, model: {type: UNet}}
nodes: {s: {type: noise_scheduler, model: $model, steps: $steps}}
outputs: {schedule: $s, steps: $steps}
"""
    found = nodegraph.loads(text).each(
        {"model": str(bundles / "glide" / "base")}, steps=[3, 5], on=warm
    )
    assert [(len(r.schedule), r.steps) for _, r in found] == [(3, "3"), (5, "5")]


def test_a_cancelled_run_leaves_its_workers_warm_unless_they_do_not_stop(place: Path) -> None:
    with Processes(1) as workers:
        sweep = sweep_of(graph("stepping"), a=range(3))
        with pytest.raises(Cancelled):
            for _, event in workers.run(shares_of(sweep)):
                if isinstance(event, Stepped):
                    workers.cancel()
        pids = workers.pids
        assert len(pids) == 1
        assert [r.n for _, r in graph("squared").each(a=[3], on=workers)] == [9]
        assert workers.pids == pids
        sweep = sweep_of(graph("squared", seconds=True), {"seconds": 600.0}, a=[1])
        with pytest.raises(Cancelled):
            for _, event in workers.run(shares_of(sweep)):
                if isinstance(event, Started):
                    workers.cancel()
        assert not workers.pids
        assert not alive(pids[0])


@pytest.mark.parametrize(("number", "count"), [("SIGINT", 1), ("SIGTERM", 1), ("SIGKILL", 2)])
def test_nothing_outlives_the_command_line(
    place: Path, cache: Path, number: str, count: int
) -> None:
    graph("squared", seconds=True)
    on = ("--on", f"processes:{count}", "--nodes", str(NODES), "--quiet")
    options = ("--seconds", "600", "--each", "a=0..9", *on)
    command = [sys.executable, "-m", "nodegraph", "run", "g.yaml", *options]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stderr=pipe, text=True, start_new_session=True) as process:
        until(lambda: begun().total() == count or process.poll() is not None)
        if number == "SIGINT":  # as a terminal does
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.send_signal(signal.Signals[number])
        _, errors = process.communicate()
    assert process.returncode == {"SIGINT": 130, "SIGTERM": 143, "SIGKILL": -9}[number], errors
    assert len(pids()) == count
    until(lambda: not any(map(alive, pids().values())))
    if number != "SIGKILL":
        assert len(list((cache / "results").glob(".*"))) <= 1  # that of `warm`


def test_values_that_cannot_be_sent_and_nodes_that_are_others(place: Path, warm: Processes) -> None:
    loaded = nodegraph.loads("graph: 1\ninputs: {d: {type: 'Denoiser[Image]'}}\noutputs: {d: $d}\n")
    with pytest.raises((Unsendable, GraphError)):
        list(loaded.each(d=[lambda x, t: x], on=warm))
    sweep = sweep_of(graph("squared"), a=[1])
    share = replace(next(iter(shares_of(sweep))), code="of long ago")
    (outcome,) = [event for _, event in warm.run([share]) if isinstance(event, Outcome)]
    assert outcome.fault is not None
    assert "the nodes are not those that this was begun with" in outcome.fault.message


def test_workers_that_cannot_begin_are_told(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = graph("squared")
    monkeypatch.setattr("nodegraph.executors.process.COMMAND", ("-c", "raise SystemExit(3)"))
    with pytest.raises(RuntimeError, match="no worker begins: its process ended with code 3"):
        list(loaded.each(a=[1, 2], on="processes:2"))


def test_places_by_name(place: Path) -> None:
    session = graph("squared").session
    assert isinstance(executor("here", session), Here)
    three = executor("processes:3", session)
    assert isinstance(three, Processes)
    assert three.count == 3
    for name in ("there", "processes", "processes:0", "processes:-1", "processes:2x", "here:2"):
        with pytest.raises(NoPlace, match="say here, or processes:2"):
            executor(name, session)
    with pytest.raises(NoPlace, match="more than 256"):
        graph("squared").each(a=[1], on="processes:1000")
    with pytest.raises(ValueError, match="one process at least"):
        Processes(0)


def test_what_runs_elsewhere_is_written_in_order_with_its_graph(
    place: Path, warm: Processes
) -> None:
    Path("p.yaml").write_text(PICTURES, "utf-8")
    sweep = sweep_of(nodegraph.load("p.yaml"), seed=range(6))
    done = [e for _, e in swept(sweep, warm, files=True) if isinstance(e, Outcome)]
    names = [Path(name).name for outcome in done for name in outcome.written["image"]]
    assert names == [f"p-image-{number:03d}.png" for number in range(1, 7)]
    again = nodegraph.load("out/p-image-004.png", out="again")()
    assert (again.image == nodegraph.load("p.yaml")(seed=3).image).all()


def test_who_stops_listening_stops_the_workers(place: Path, warm: Processes) -> None:
    results = iter(graph("squared", seconds=True).each({"seconds": 0.05}, a=range(500), on=warm))
    assert next(results)[1].n == 0
    pids = warm.pids
    results.close()
    assert not any(map(alive, pids))
    assert begun().total() < 500
