"""`each` and `switch`: one node for many, a choice between wires and between types of nodes."""

from pathlib import Path

import library
import pytest

from nodegraph.api import LoadedGraph
from nodegraph.language.compile import Compiled, compile_graph
from nodegraph.language.edit import remove_input, rename_input, rename_node
from nodegraph.language.inputs import Request
from nodegraph.language.many import BadRange, range_values
from nodegraph.language.source import SourceText
from nodegraph.language.texts import applied
from nodegraph.library.registry import from_modules
from nodegraph.options import Options
from nodegraph.runtime.events import Completed, Finished
from nodegraph.session import Session

HEAD = """graph: 1
inputs:
  n: {type: int, default: 3}
  many: {type: "list[int]", default: [1, 2]}
  how: {type: str, menu: [add, slow], default: add}
  fast: {type: bool, default: true}
nodes:
"""


def compiled(nodes: str, outputs: str = "{out: $x}", **inputs: object) -> Compiled:
    text = HEAD + "".join(f"  {line}\n" for line in nodes.splitlines()) + f"outputs: {outputs}\n"
    request = Request(inputs)
    return compile_graph(SourceText("g.yaml", text, None), from_modules([library]), request)


def faults(nodes: str, **inputs: object) -> list[str]:
    found = compiled(nodes, **inputs)
    return [
        f"{f.code} {f.span.line if f.span else 0}: {f.message}"
        for f in found.diagnostics
        if f.severity == "error"
    ]


def ran(nodes: str, tmp_path: Path, outputs: str = "{out: $x}", **inputs: object) -> object:
    text = HEAD + "".join(f"  {line}\n" for line in nodes.splitlines()) + f"outputs: {outputs}\n"
    session = Session(from_modules([library], code="each"))
    opened = session.open(SourceText("g.yaml", text, tmp_path))
    graph = LoadedGraph(opened, session, Options(device="cpu", cached=False))
    events = list(graph.events(None, None, **inputs))
    names.clear()
    names.extend(event.node for event in events if isinstance(event, Finished))
    last = events[-1]
    assert isinstance(last, Completed)
    return last.outputs["out"]


names: list[str] = []
"""The nodes that ran last."""


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0..3", [0, 1, 2, 3]),
        ("3..1", [3, 2, 1]),
        ("-1..1", [-1, 0, 1]),
        ("0..1 by 0.25", [0.0, 0.25, 0.5, 0.75, 1.0]),
        ("0..0.3 by 0.1", [0.0, 0.1, 0.2, 0.3]),
        ("1..8 by 3", [1, 4, 7]),
        ("2..2", [2]),
        ("1e-3..3e-3 by 1e-3", [0.001, 0.002, 0.003]),
    ],
)
def test_ranges_have_both_ends(text: str, values: list[float]) -> None:
    found = range_values(text)
    assert found == values
    assert [type(v) for v in found] == [type(v) for v in values]


@pytest.mark.parametrize(
    "text", ["0..1 by 0", "0..3 by -1", "3..0 by 1", "0..9999999", "1 .. x", "0..." + "9" * 200]
)
def test_ranges_that_lead_nowhere(text: str) -> None:
    with pytest.raises(BadRange):
        range_values(text)


def test_a_node_with_each_is_as_many_nodes_and_gives_lists(tmp_path: Path) -> None:
    assert ran("x: {type: add, b: 10, each: {a: [1, 2, 5]}}", tmp_path) == [11, 12, 15]
    assert ran("x: {type: add, each: {a: 1..2, b: [0, 10]}}", tmp_path) == [1, 11, 2, 12]
    assert ran("x: {type: add, each: {a+b: [[1, 2], [3, 4]]}}", tmp_path) == [3, 7]
    assert ran("x: {type: add, each: {a: $many}}", tmp_path, many=[4, 5, 6]) == [5, 6, 7]


def test_lists_of_each_go_on_to_fan_in_and_to_another_each(tmp_path: Path) -> None:
    made = "y: {type: add, b: 10, each: {a: [1, 2]}}\n"
    assert ran(made + "x: {type: total, items: $y}", tmp_path) == 23
    assert ran(made + "x: {type: total, items: [$y, 100]}", tmp_path) == 123
    assert ran(made + "x: {type: add, b: 1, each: {a: $y}}", tmp_path) == [12, 13]


def test_each_of_a_subgraph(tmp_path: Path) -> None:
    inner = "graph: 1\ninputs: {a: {type: int}}\nnodes: {p: {type: add, a: $a}}\noutputs: {p: $p}\n"
    (tmp_path / "inner.yaml").write_text(inner, "utf-8")
    found = ran("x: {type: ./inner.yaml, each: {a: 0..2}}", tmp_path)
    assert found == [1, 2, 3]


def test_what_is_wrong_in_each_is_told_once_at_its_place() -> None:
    assert faults("x: {type: add, a: 1, each: {c: [1, 2, 3]}}") == [
        "E201 8: 'add' has no input 'c'"
    ]
    assert faults("x: {type: add, a: 1, each: {b: [1, 200, 300]}}") == [
        "E206 8: x.b: 200 is out of range; allowed 0 … 100",
        "E206 8: x.b: 300 is out of range; allowed 0 … 100",
    ]
    assert len(faults("x: {type: add, each: {a: [1, 2]}, b: [1]}")) == 1


@pytest.mark.parametrize(
    ("nodes", "code"),
    [
        ("x: {type: add, a: 1, each: {a: [1]}}", "E103"),
        ("x: {type: add, each: {a: []}}", "E103"),
        ("x: {type: add, each: {a: 3}}", "E103"),
        ("x: {type: add, each: {}}", "E103"),
        ("x: {type: add, each: [1]}", "E103"),
        ("x: {type: add, each: {a+b: [[1], [2, 3]]}}", "E103"),
        ("x: {type: add, each: {a: [1], a+b: [[1, 2]]}}", "E103"),
        ("x: {type: add, each: {a: 3..1 by 1}}", "E103"),
        ("x: {type: add, each: {a: $n}}", "E301"),
        ("x: {type: add, each: {a: $nothing}}", "E204"),
        ("y: {type: several, a: 2}\nx: {type: add, each: {a: $y}}", "E116"),
    ],
)
def test_an_each_that_cannot_be_unfolded(nodes: str, code: str) -> None:
    assert [fault[:4] for fault in faults(nodes)] == [code]


def test_a_switch_is_the_way_that_is_chosen_and_the_other_does_not_run(tmp_path: Path) -> None:
    nodes = 'a: {type: add, a: 1}\nb: {type: slow, a: 7}\nx: {type: switch, on: $fast, "true": $a, "false": $b}'
    assert ran(nodes, tmp_path) == 2
    assert names == ["a"]
    assert ran(nodes, tmp_path, fast=False) == 7


def test_a_switch_between_values(tmp_path: Path) -> None:
    assert ran("y: {type: switch, on: $n, 3: 10, 4: 20}\nx: {type: add, a: $y}", tmp_path) == 11
    assert (
        ran("y: {type: switch, on: $n, 3: 10, 4: 20}\nx: {type: add, a: $y}", tmp_path, n=4) == 21
    )


@pytest.mark.parametrize(
    ("nodes", "code"),
    [
        ("x: {type: switch, on: $n, 7: 1, 8: 2}", "E207"),
        ("x: {type: switch, a: 1}", "E205"),
        ("x: {type: switch, on: $n}", "E205"),
        ("y: {type: add, a: 1}\nx: {type: switch, on: $y, 3: 1}", "E116"),
        ("y: {type: steps, count: 2}\nx: {type: switch, on: $n, 3: $y, 4: a text}", "E301"),
        ("x: {type: $n, a: 1}", "E116"),
        ("x: {type: $nothing, a: 1}", "E116"),
    ],
)
def test_a_switch_that_cannot_be_resolved(nodes: str, code: str) -> None:
    assert [fault[:4] for fault in faults(nodes)] == [code]


def test_an_input_chooses_the_type_of_a_node_and_the_others_are_checked_too(tmp_path: Path) -> None:
    assert ran("x: {type: $how, a: 4}", tmp_path, how="slow") == 4
    assert names == ["x"]
    assert ran("x: {type: $how, a: 4}", tmp_path) == 5
    assert [f[:4] for f in faults("x: {type: $how, a: 4, b: 2}")] == ["E201"]  # slow has no b


TEXT = """graph: 1
inputs:
  n: {type: int, default: 1}
  many: {type: "list[int]", default: [1]}
  how: {type: str, menu: [add], default: add}
sweeps:
  both: {each: {n+how: [[1, add]], many: [[1]]}}
nodes:
  y: {type: add, each: {a: $many, b: [$n, 2]}}
  x: {type: $how, a: $n, each: {b: $y}}
outputs: {x: $x}
"""


def test_names_change_in_each_in_types_and_in_sweeps() -> None:
    made = applied(TEXT, rename_input(TEXT, "many", "all"))
    assert "each: {a: $all, b: [$n, 2]}" in made and "all: [[1]]" in made
    made = applied(TEXT, rename_input(TEXT, "how", "kind"))
    assert "n+kind: [[1, add]]" in made and "type: $kind" in made
    made = applied(TEXT, rename_node(TEXT, "y", "z"))
    assert "each: {b: $z}" in made
    assert "many" not in applied(TEXT, remove_input(TEXT, "many")).partition("nodes:")[0]
