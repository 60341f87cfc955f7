"""Running, caching, freeing, cancelling, failing: on a small library, without torch."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import library
import numpy as np
import pytest
from filelock import FileLock

from nodegraph.base.diagnostics import Cancelled, NodeFailed
from nodegraph.base.paths import Outside, Sandbox
from nodegraph.language.compile import Compiled, compile_graph
from nodegraph.language.inputs import Request
from nodegraph.language.program import Many
from nodegraph.language.source import SourceText
from nodegraph.library.registry import Registry, from_modules
from nodegraph.runtime.abstract import check_shapes
from nodegraph.runtime.cache import META, Cache, Disk, Kept
from nodegraph.runtime.cancel import CancelToken, cancel_point
from nodegraph.runtime.context import RunContext
from nodegraph.runtime.engine import Engine
from nodegraph.runtime.events import Cached, Completed, Event, Failed, Finished, Stepped, Warned
from nodegraph.runtime.execute import Run


@pytest.fixture
def registry() -> Registry:
    library.calls.clear()
    return from_modules([library], code="one")


def compiled(
    registry: Registry, nodes: str, outputs: str, inputs: str = "", **given: object
) -> Compiled:
    text = f"graph: 1\ninputs:\n{textwrap.indent(textwrap.dedent(inputs), '  ')}\nnodes:\n{textwrap.indent(textwrap.dedent(nodes), '  ')}\noutputs: {outputs}\n"
    return compile_graph(SourceText("test.yaml", text), registry, Request(given))


def engine(registry: Registry, folder: Path | None = None) -> Engine:
    cache = Cache(disk=Disk(folder, registry) if folder else None)
    return Engine(registry, RunContext(Sandbox((), Path())), cache)


def run(running: Engine, found: Compiled) -> tuple[dict[str, object], list[Event]]:
    events = list(running.run(found.checked()))
    last = events[-1]
    assert isinstance(last, Completed)
    return last.outputs, events


def finished(events: Sequence[Event]) -> dict[str, str]:
    return {
        e.node: e.status if isinstance(e, Finished) else "cached"
        for e in events
        if isinstance(e, Finished | Cached)
    }


def test_values_flow(registry: Registry) -> None:
    found = compiled(
        registry,
        """
        many: {type: several, a: $start}
        parts: {type: halves, a: 7}
        all: {type: total, items: [$many, $parts.remainder, 10]}
        most: {type: total, items: $many, kind: max}
        kept: {type: same, value: $all}
        """,
        "{all: $kept, most: $most, quotient: $parts}",
        "start: {type: int}",
        start=3,
    )
    outputs, _ = run(engine(registry), found)
    assert outputs == {"all": 3 + 4 + 5 + 1 + 10, "most": 5, "quotient": 3}


def test_only_what_changed_runs(registry: Registry) -> None:
    nodes = """
        first: {type: add, a: 1}
        second: {type: add, a: $first, b: $amount}
        """
    running = engine(registry)
    run(running, compiled(registry, nodes, "{out: $second}", "amount: {type: int}", amount=2))
    _, again = run(
        running, compiled(registry, nodes, "{out: $second}", "amount: {type: int}", amount=2)
    )
    assert finished(again) == {"second": "cached"}
    _, changed = run(
        running, compiled(registry, nodes, "{out: $second}", "amount: {type: int}", amount=3)
    )
    assert finished(changed) == {"first": "cached", "second": "ran"}


def test_a_value_with_cached_and_running_readers_stays(registry: Registry) -> None:
    nodes = """
        root: {type: add, a: 1}
        kept: {type: add, a: $root, b: 2}
        changed: {type: add, a: $root, b: $amount}
        out: {type: total, items: [$kept, $changed]}
        """
    running = engine(registry)
    run(running, compiled(registry, nodes, "{out: $out}", "amount: {type: int}", amount=3))
    outputs, events = run(
        running, compiled(registry, nodes, "{out: $out}", "amount: {type: int}", amount=4)
    )
    assert outputs == {"out": 4 + 6}
    assert finished(events) == {"root": "cached", "kept": "cached", "changed": "ran", "out": "ran"}


def test_results_outlive_the_process_and_live_values_are_rebuilt(
    registry: Registry, tmp_path: Path
) -> None:
    nodes = """
        start: {type: slow, a: 4}
        wrapped: {type: live, a: $start}
        out: {type: unwrap, value: $wrapped}
        other: {type: add, a: $out}
        """
    run(engine(registry, tmp_path), compiled(registry, nodes, "{out: $out}"))
    found = compiled(registry, nodes, "{out: $other}")
    _, events = run(engine(registry, tmp_path), found)
    assert finished(events) == {"out": "cached", "other": "ran"}
    _, events = run(engine(registry, tmp_path), found)
    assert finished(events) == {"other": "cached"}  # what is shown is kept, however quick it was
    changed = compiled(
        registry,
        nodes + "\n        more: {type: unwrap, value: $wrapped}",
        "{out: $other, more: $more}",
    )
    library.calls.clear()
    run(engine(registry, tmp_path), changed)
    assert "unwrap" not in library.calls  # the new node has the key of one that ran
    _, events = run(engine(registry, tmp_path), compiled(registry, nodes, "{out: $wrapped}"))
    assert finished(events) == {"start": "cached", "wrapped": "rebuilt"}


def test_code_is_part_of_the_key(registry: Registry, tmp_path: Path) -> None:
    nodes = "start: {type: slow, a: 4}"
    run(engine(registry, tmp_path), compiled(registry, nodes, "{out: $start}"))
    other = from_modules([library], code="two")
    _, events = run(engine(other, tmp_path), compiled(other, nodes, "{out: $start}"))
    assert finished(events) == {"start": "ran"}


def test_damaged_entries_are_run_again(registry: Registry, tmp_path: Path) -> None:
    found = compiled(
        registry, "first: {type: slow, a: 4}\nout: {type: slow, a: $first}", "{out: $out}"
    )
    run(engine(registry, tmp_path), found)
    for path in tmp_path.rglob("value.json"):
        path.write_text("99", encoding="utf-8")
    outputs, events = run(engine(registry, tmp_path), found)
    assert outputs == {"out": 4}
    assert finished(events) == {"first": "ran", "out": "ran"}


def test_impure_nodes_always_run(registry: Registry, tmp_path: Path) -> None:
    found = compiled(registry, "out: {type: tick, a: 1}", "{out: $out}")
    running = engine(registry, tmp_path)
    run(running, found)
    run(running, found)
    assert library.calls == ["tick", "tick"]


def test_a_failure_names_place_inputs_and_cause(registry: Registry) -> None:
    found = compiled(registry, "bad: {type: fail, a: 5}", "{out: $bad}")
    events: list[Event] = []
    with pytest.raises(
        NodeFailed,
        match=r"test.yaml:\d+:3: E501 node-failed: node 'bad' \(fail\) failed: ZeroDivisionError: 5 was too much"
        r"\n  raised at \S*library.py:\d+\n  a = 5",
    ) as caught:
        events.extend(engine(registry).run(found.checked()))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_failure_is_an_event_too(registry: Registry) -> None:
    events = engine(registry).run(
        compiled(registry, "bad: {type: fail, a: 5}", "{out: $bad}").checked()
    )
    seen = []
    with pytest.raises(NodeFailed):
        for event in events:
            seen.append(event)
    assert isinstance(seen[-1], Failed)


def test_a_run_is_cancelled_between_steps(registry: Registry) -> None:
    found = compiled(registry, "long: {type: steps, count: 1000}", "{out: $long}")
    token = CancelToken()
    made = 0
    with pytest.raises(Cancelled):
        for event in engine(registry).run(found.checked(), token=token):
            if isinstance(event, Stepped):
                made += 1
                token.cancel()
    assert made == 1


def test_a_load_is_cancelled_between_its_pieces(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = compiled(registry, "slow: {type: load_slowly, pieces: 1000}", "{out: $slow}")
    token = CancelToken()
    monkeypatch.setattr(library, "calls", _CancelsAt(token, 3))
    with pytest.raises(Cancelled):
        list(engine(registry).run(found.checked(), token=token))
    assert len(library.calls) == 3


class _CancelsAt(list[str]):
    """Cancels at the n-th entry, as another thread would."""

    def __init__(self, token: CancelToken, count: int) -> None:
        super().__init__()
        self.token, self.count = token, count

    def append(self, entry: str) -> None:
        super().append(entry)
        if len(self) == self.count:
            self.token.cancel()


def test_cancel_points_outside_a_run_do_nothing() -> None:
    cancel_point()


def test_values_are_freed_after_their_last_use(registry: Registry) -> None:
    chain = "n0: {type: add, a: 1}\n" + "\n".join(
        f"n{i}: {{type: add, a: $n{i - 1}}}" for i in range(1, 50)
    )
    found = compiled(registry, chain, "{out: $n49}")
    running = engine(registry)
    keyed = running.keyed(found.checked())
    following = Run(keyed, registry, running.cache, CancelToken())
    most = max(len(following.values) for _ in following.events(["out"]))
    assert most <= 2


def test_ten_thousand_nodes_in_a_line(registry: Registry) -> None:
    chain = "n0: {type: add, a: 1}\n" + "\n".join(
        f"n{i}: {{type: add, a: $n{i - 1}}}" for i in range(1, 10_000)
    )
    outputs, _ = run(engine(registry), compiled(registry, chain, "{out: $n9999}"))
    assert outputs == {"out": 10_001}


def test_memory_is_bounded(registry: Registry) -> None:
    running = engine(registry)
    running.cache.memory.entries = 3
    chain = "n0: {type: add, a: 1}\n" + "\n".join(
        f"n{i}: {{type: add, a: $n{i - 1}}}" for i in range(1, 9)
    )
    run(running, compiled(registry, chain, "{out: $n8}"))
    assert len(running.cache.memory._held) == 3


def test_memory_counts_what_lists_and_records_hold(registry: Registry) -> None:
    running = engine(registry)
    running.cache.memory.bytes = 1000
    for number in range(20):
        held = [np.zeros(20), Many((np.zeros(20),))]
        running.cache.memory.put(bytes([number]), Kept((held,)))
    assert 0 < len(running.cache.memory._held) <= 1000 // 320


def test_a_literal_list_is_read_item_by_item(registry: Registry) -> None:
    for written in ("[1, 2]", "3"):
        found = compiled(registry, f"all: {{type: all_doubled, items: {written}}}", "{all: $all}")
        assert run(engine(registry), found)[0] == {"all": 6}
    keys = {
        engine(registry)
        .keyed(
            compiled(registry, f"all: {{type: all_doubled, items: {w}}}", "{all: $all}").checked()
        )
        .keys[0]
        for w in ("[1, 2]", "[2, 1]", "[1, 2, 0]", "[3]")
    }
    assert len(keys) == 4


def test_what_cannot_be_kept_is_no_fault(registry: Registry, tmp_path: Path) -> None:
    outputs, _ = run(
        engine(registry, tmp_path), compiled(registry, "a: {type: odd_number}", "{a: $a}")
    )
    assert outputs == {"a": 1 + 2j}
    assert not list(tmp_path.glob("??/*"))
    assert not list(tmp_path.glob(".*"))


def test_a_cache_that_cannot_be_written_can_be_read(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = compiled(registry, "a: {type: slow, a: 4}", "{a: $a}")
    other = compiled(registry, "a: {type: slow, a: 5}", "{a: $a}")
    run(engine(registry, tmp_path), found)

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "read-only file system")

    for name in ("utime", "mkdir", "rename", "open"):
        monkeypatch.setattr(f"os.{name}", refused)
    assert finished(run(engine(registry, tmp_path), found)[1]) == {"a": "cached"}
    assert finished(run(engine(registry, tmp_path), other)[1]) == {"a": "ran"}


@pytest.mark.parametrize("error", [OSError(28, "no space left"), RuntimeError("I/O error")])
def test_a_full_disk_costs_no_result(
    error: Exception, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise error

    monkeypatch.setattr(Disk, "_dump", full)
    found = compiled(registry, "a: {type: slow, a: 4}", "{a: $a}")
    outputs, events = run(engine(registry, tmp_path), found)
    assert outputs == {"a": 4} and finished(events) == {"a": "ran"}
    assert list(tmp_path.iterdir()) == []


def test_a_cache_cleared_while_a_run_goes_on_costs_no_result(
    registry: Registry, tmp_path: Path
) -> None:
    text = "a: {type: slow, a: 4}\nb: {type: slow, a: $a}\nc: {type: slow, a: $b}"
    found, running = compiled(registry, text, "{a: $a, c: $c}"), engine(registry, tmp_path)
    run(running, found)
    for event in (events := engine(registry, tmp_path).run(found.checked())):
        Disk(tmp_path, registry).clear()
        if isinstance(event, Completed):
            assert event.outputs == {"a": 4, "c": 4}
    assert list(events) == []
    assert run(engine(registry, tmp_path), found)[0] == {"a": 4, "c": 4}


def test_a_cache_folder_that_is_a_file_is_no_fault(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = compiled(registry, "a: {type: slow, a: 4}", "{a: $a}")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        assert run(engine(registry, folder), found)[0] == {"a": 4}


def test_half_an_entry_is_made_whole_again(registry: Registry, tmp_path: Path) -> None:
    found = compiled(registry, "a: {type: slow, a: 4}", "{a: $a}")
    run(engine(registry, tmp_path), found)
    (entry,) = tmp_path.glob("??/*")
    for lost in (entry / META, entry / "0" / "value.json"):
        lost.unlink()
        _, events = run(engine(registry, tmp_path), found)
        assert finished(events) == {"a": "ran"}
        _, events = run(engine(registry, tmp_path), found)
        assert finished(events) == {"a": "cached"}


def test_many_short_processes_keep_the_disk_bounded(registry: Registry, tmp_path: Path) -> None:
    for number in range(12):
        disk = Disk(tmp_path, registry, limit=600)
        running = Engine(registry, RunContext(Sandbox((), Path())), Cache(disk=disk))
        run(running, compiled(registry, f"a: {{type: slow, a: {number}}}", "{a: $a}"))
        assert disk.size() <= 600


def test_what_a_killed_process_left_is_swept_away(registry: Registry, tmp_path: Path) -> None:
    left, held = tmp_path / ".dead.partial", tmp_path / ".alive.partial"
    for path in (left, held):
        path.mkdir()
        (path / "value.json").write_text("1", encoding="utf-8")
    (left / "lock").touch()
    with FileLock(held / "lock"):
        run(engine(registry, tmp_path), compiled(registry, "a: {type: slow, a: 4}", "{a: $a}"))
    assert list(tmp_path.glob(".*")) == [held]


def test_the_disk_is_bounded(registry: Registry, tmp_path: Path) -> None:
    disk = Disk(tmp_path, registry, limit=600)
    running = Engine(registry, RunContext(Sandbox((), Path())), Cache(disk=disk))
    for number in range(8):
        run(running, compiled(registry, f"a: {{type: slow, a: {number}}}", "{out: $a}"))
    disk.trim()
    assert disk.size() <= 600
    assert disk.clear() > 0
    assert disk.size() == 0


CHILD = """
import sys
sys.path[:0] = {folders!r}
import library
from pathlib import Path
from test_engine import compiled, engine
from nodegraph.library.registry import from_modules
registry = from_modules([library], code="one")
nodes = "\\n".join(f"n{{i}}: {{{{type: slow, a: {{i if i == 0 else '$n' + str(i - 1)}}}}}}" for i in range(40))
for event in engine(registry, Path({cache!r})).run(compiled(registry, nodes, "{{out: $n39}}").checked()):
    print(type(event).__name__, getattr(event, "node", ""), flush=True)
"""


def child(cache: Path) -> list[str]:
    folders = [str(Path(place).parent) for place in (library.__file__, __file__)]
    text = CHILD.format(folders=folders, cache=str(cache))
    return [sys.executable, "-c", text]


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    process = subprocess.Popen(child(tmp_path), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    done = []
    for line in process.stdout:
        if line.startswith("Finished"):
            done.append(line.split()[1])
        if len(done) == 5:
            os.kill(process.pid, signal.SIGKILL)
            break
    process.stdout.close()
    process.wait()
    again = subprocess.run(
        child(tmp_path), capture_output=True, text=True, check=True
    ).stdout.split("\n")
    started = {line.split()[1] for line in again if line.startswith("Started")}
    assert not started & set(done)
    assert any(line.startswith("Completed") for line in again)


def test_two_processes_share_a_cache(tmp_path: Path) -> None:
    both = [subprocess.Popen(child(tmp_path), stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for process in both:
        printed, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        assert "Completed" in printed


def test_keys_are_the_same_in_another_process(registry: Registry, tmp_path: Path) -> None:
    first = subprocess.run(child(tmp_path), capture_output=True, text=True, check=True).stdout
    second = subprocess.run(child(tmp_path), capture_output=True, text=True, check=True).stdout
    assert first.count("Finished") == 40
    assert second.count("Started") == 0
    assert second.count("Cached") == 1


def test_the_sandbox(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "a.txt").write_text("a", encoding="utf-8")
    (tmp_path / "secret.txt").write_text("s", encoding="utf-8")
    (inside / "link.txt").symlink_to(tmp_path / "secret.txt")
    sandbox = Sandbox((inside,), inside / "out")
    assert sandbox.reading(inside / "a.txt").name == "a.txt"
    for path in (tmp_path / "secret.txt", inside / ".." / "secret.txt", inside / "link.txt"):
        with pytest.raises(Outside, match="reads only below"):
            sandbox.reading(path)
    assert sandbox.writing("deep/x.png").name == "x.png"
    for name in ("../x.png", "/etc/passwd"):
        with pytest.raises(Outside, match="writes only below"):
            sandbox.writing(name)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        sandbox.reading(inside / "b.txt")


def test_a_failure_summarises_lists_item_by_item(registry: Registry) -> None:
    found = compiled(
        registry,
        "all: {type: total, items: [1, 2, 3, 4, 5], kind: max}\nbad: {type: fail_all, items: [1, $all, 3, 4, 5]}",
        "{bad: $bad}",
    )
    with pytest.raises(NodeFailed, match=r"items = \[1, 5, 3, 4, …\]"):
        list(engine(registry).run(found.checked()))


def test_what_a_node_says_is_a_warning_at_its_input_once(registry: Registry) -> None:
    found = compiled(registry, "d: {type: doubtful, a: 3}", "{out: $d}")
    _, events = run(engine(registry), found)
    (said,) = [event.diagnostic for event in events if isinstance(event, Warned)]
    assert (said.code, said.node, said.hint) == ("W401", "d", "take another")
    assert said.span is not None and said.span.line == 5 and "3 is doubtful" in said.message


def test_what_a_node_says_is_said_by_the_check_too(registry: Registry) -> None:
    found = compiled(registry, "d: {type: doubtful, a: 3}", "{out: $d}")
    report = check_shapes(found.checked(), engine(registry))
    assert [fault.code for fault in report.diagnostics] == ["W401"] and not report.errors


def said(events: Sequence[Event]) -> list[tuple[str, str]]:
    return [(e.node, e.diagnostic.message) for e in events if isinstance(e, Warned)]


def test_what_was_said_on_the_way_is_said_again_with_a_result_from_disk(
    registry: Registry, tmp_path: Path
) -> None:
    nodes = "d: {type: doubtful, a: 3}\nslow: {type: slow, a: $d}"
    found = compiled(registry, nodes, "{out: $slow}")
    _, first = run(engine(registry, tmp_path), found)
    other = compiled(registry, nodes.replace("d:", "e:").replace("$d", "$e"), "{out: $slow}")
    for same, name in ((found, "d"), (other, "e")):
        running = engine(registry, tmp_path)
        for where in ("disk", "memory"):
            _, events = run(running, same)
            assert [e.where for e in events if isinstance(e, Cached)] == [where]
            ((node, words),) = said(events)
            assert node == name and words.endswith("3 is doubtful")
    assert len(said(first)) == 1


def test_what_is_said_once_is_not_said_again_by_what_depends_on_it(registry: Registry) -> None:
    nodes = "d: {type: doubtful, a: 3}\nx: {type: same, value: $d}\ny: {type: same, value: $d}\nz: {type: total, items: [$x, $y]}"
    running = engine(registry)
    run(running, compiled(registry, nodes, "{out: $z}"))
    _, events = run(running, compiled(registry, nodes, "{x: $x, y: $y, out: $z}"))
    assert [name for name, _ in said(events)] == ["d"]


def test_without_an_engine_a_node_warns_as_python_does() -> None:
    with pytest.warns(UserWarning, match="3 is doubtful"):
        assert library.doubtful(3) == 3
