"""The session: one run makes things once, a second check calls what changed, and events are plain data."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import library
import pytest

from nodegraph.api import LoadedGraph
from nodegraph.base.devices import may_have_card
from nodegraph.base.diagnostics import Cancelled, GraphError, NodeFailed
from nodegraph.language import source
from nodegraph.language.source import SourceText
from nodegraph.library.registry import from_modules
from nodegraph.options import Options
from nodegraph.runtime import keys
from nodegraph.runtime.cancel import CancelToken
from nodegraph.runtime.events import Completed, Failed, Finished, Planned, Stepped, Warned, Written
from nodegraph.runtime.literals import Literals
from nodegraph.session import Job, Session

TEXT = """graph: 1
inputs:
  n: {type: int, default: 3}
  m: {type: int, default: 1}
nodes:
  a: {type: slow, a: $n}
  b: {type: add, a: $m}
  c: {type: total, items: [$a, $b]}
  s: {type: steps, count: 2}
  w: {type: doubtful, a: $c}
  d: {type: all_doubled, items: [1, 2]}
outputs: {out: $w, s: $s, d: $d}
"""


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Session:
    monkeypatch.setenv("NODEGRAPH_CACHE", str(tmp_path / "cache"))
    library.calls.clear()
    return Session(from_modules([library], code="one"))


def counted(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> list[Any]:
    """The calls of a function, from now on."""
    made, function = list[Any](), getattr(owner, name)

    def told(*args: Any, **kwargs: Any) -> Any:
        made.append(args)
        return function(*args, **kwargs)

    monkeypatch.setattr(owner, name, told)
    return made


def opened(session: Session, text: str = TEXT, folder: Path | None = None) -> Any:
    return session.open(SourceText("g.yaml", text, folder))


def test_a_run_makes_keys_once_and_reads_each_literal_once(
    session: Session, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = counted(monkeypatch, keys, "keys_of")
    monkeypatch.setattr("nodegraph.runtime.keyed.keys_of", keys.keys_of)
    read = counted(monkeypatch, Literals, "_parse")
    job = Job(options=Options(out=tmp_path / "out"))
    prepared = session.prepare(opened(session), job)
    *_, last = session.run(prepared)
    assert isinstance(last, Completed)
    session.write(prepared, last.outputs)
    assert len(made) == 1
    literals = [(literal, context.abstract) for _, _, literal, context in read]
    assert sorted(literals) == [(1, False), (1, True), (2, False), (2, True)]


def test_each_graph_file_is_read_once(
    session: Session, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    inner = "graph: 1\ninputs: {a: {type: int}}\nnodes: {x: {type: add, a: $a}}\noutputs: {x: $x}\n"
    nodes = "".join(f"  n{i}: {{type: ./inner.yaml, a: {i}}}\n" for i in range(9))
    outputs = ", ".join(f"o{i}: $n{i}" for i in range(9))
    (tmp_path / "inner.yaml").write_text(inner, "utf-8")
    (tmp_path / "g.yaml").write_text(f"graph: 1\nnodes:\n{nodes}outputs: {{{outputs}}}\n", "utf-8")
    read = counted(monkeypatch, source, "read_text")
    job = Job(options=Options(cached=False))
    *_, last = session.run(session.prepare(session.open(tmp_path / "g.yaml"), job))
    assert isinstance(last, Completed) and last.outputs == {f"o{i}": i + 1 for i in range(9)}
    assert sorted(path.name for (path,) in read) == ["g.yaml", "inner.yaml"]


def test_a_second_check_calls_what_changed_and_what_depends_on_it(session: Session) -> None:
    def calls(check: Callable[[], Any]) -> int:
        before = session.shapes.calls
        assert [d.code for d in check().diagnostics] == ["W401"]
        return session.shapes.calls - before

    graph, later = opened(session), opened(session, "# moved\n" + TEXT)
    assert calls(lambda: session.check(graph, Job())) == 6
    assert calls(lambda: session.check(graph, Job())) == 0
    assert calls(lambda: session.check(later, Job())) == 0
    assert calls(lambda: session.check(graph, Job({"m": 2}))) == 3
    assert calls(lambda: session.check(graph, Job({"n": 2}))) == 3
    (warned,) = session.check(later, Job({"n": 2})).diagnostics
    assert warned.span is not None and warned.span.line == 11


def test_a_check_is_cancelled_between_nodes(session: Session) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        session.check(opened(session), Job(), token=token)
    with pytest.raises(Cancelled):
        session.prepare(opened(session), Job(), token)


def test_events_are_plain_data_and_values_stand_beside_them(
    session: Session, tmp_path: Path
) -> None:
    prepared = session.prepare(opened(session), Job(options=Options(out=tmp_path / "out")))
    events = list(session.run(prepared))
    last = events[-1]
    assert isinstance(last, Completed)
    events.append(session.write(prepared, last.outputs))
    told = [json.loads(json.dumps(event.to_json())) for event in events]
    assert [t["event"] for t in told[:2]] == ["planned", "started"]
    assert isinstance(events[0], Planned) and [d.node for d in events[0].steps] == list("absdcw")
    assert {d.reason for d in events[0].steps} == {"it never ran in this graph"}
    finished = {e.node: e.outputs for e in events if isinstance(e, Finished)}
    assert finished["a"] == {"output": "3"} and finished["d"] == {"output": "6"}
    assert [t["done"] for t in told if t["event"] == "stepped"] == [1, 2]
    assert all(e.image() is None for e in events if isinstance(e, Stepped))
    assert [e.diagnostic.code for e in events if isinstance(e, Warned)] == ["W401"]
    assert last.described == {"out": "5", "s": "2", "d": "6"}
    assert isinstance(events[-1], Written) and events[-1].outputs == {"out": 5, "s": 2, "d": 6}


def test_a_failure_is_plain_data_too(session: Session) -> None:
    text = TEXT.replace("type: add, a: $m", "type: fail, a: $m")
    with pytest.raises(GraphError):
        session.prepare(opened(session, text), Job())
    engine = session.engine(opened(session, text), Options(cached=False))
    program = session.compiled(opened(session, text), Job()).checked()
    events = engine.run(program)
    failed = None
    with pytest.raises(NodeFailed):
        for event in events:
            failed = event
    assert isinstance(failed, Failed)
    told = json.loads(json.dumps(failed.to_json()))
    assert (told["node"], told["inputs"], told["diagnostic"]["line"]) == ("b", {"a": "1"}, 7)


@pytest.mark.filterwarnings("ignore:.*W401")
def test_python_remembers_runs_as_the_command_line_does(session: Session, tmp_path: Path) -> None:
    graph = LoadedGraph(opened(session, folder=tmp_path), session, Options(out=tmp_path / "out"))
    graph(n=3)
    plan = session.plan(graph.opened, Job({"n": 4}))
    reasons = {step.node: step.reason for step in plan.steps}
    assert (reasons["a"], reasons["c"], reasons["b"]) == (
        "changed: a",
        "changed: items",
        "the result is there",
    )


def test_without_a_driver_of_a_card_nobody_asks_torch(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(
        "nodegraph.base.tensors.choose_device", lambda wanted: asked.append(wanted) or "cpu"
    )
    monkeypatch.setattr("sys.platform", "linux")
    for dev, said in (([], False), (["nvidiactl"], False), (["nvidia0"], True), (["kfd"], True)):
        place = tmp_path / "-".join(["dev", *dev])
        place.mkdir()
        for name in dev:
            (place / name).touch()
        assert may_have_card(place) is said
    monkeypatch.setattr("nodegraph.base.devices.may_have_card", lambda: False)
    assert session.engine(opened(session), Options(None)).context.device == "cpu"
    assert session.engine(opened(session), Options("cpu")).context.device == "cpu" and not asked
    monkeypatch.setattr("nodegraph.base.devices.may_have_card", lambda: True)
    session.engine(opened(session), Options(None))
    assert asked == ["auto"]
