"""The JSON Schema against `check --types`: it accepts all that is right, and refuses what it can know to be wrong."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import library
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nodegraph.base.diagnostics import Diagnostic, Span
from nodegraph.language.compile import compile_graph
from nodegraph.language.inputs import Request
from nodegraph.language.schema import json_schema
from nodegraph.language.source import SourceText, from_file
from nodegraph.language.yaml import Items, Leaf, Table, Tree, parse
from nodegraph.library.registry import Registry, from_modules
from nodegraph.session import registry

ROOT = Path(__file__).parents[4]
GRAPHS = [
    path for folder in ("graphs", "tests") for path in sorted((ROOT / folder).rglob("*.yaml"))
]
ZOO = sorted((ROOT / "tests" / "diagnostics" / "zoo").glob("*.yaml"))
KNOWABLE = {
    "E101": "graph: 1\ntitel: x\noutputs: {}\n",
    "E102": "graph: 2\noutputs: {}\n",
    "E103": "graph: 1\nnodes: {a: add}\noutputs: {}\n",
    "E105": "graph: 1\ninputs: {out: {type: int}}\noutputs: {a: $out}\n",
    "E111": "graph: 1\nnodes: {a: {type: add, a: 1}}\n",
    "E112": "graph: 1\nnodes: {2a: {type: add, a: 1}}\noutputs: {}\n",
    "E201": "graph: 1\nnodes: {a: {type: add, a: 1, c: 2}}\noutputs: {a: $a}\n",
    "E202": "graph: 1\nnodes: {a: {type: ad, a: 1}}\noutputs: {a: $a}\n",
    "E205": "graph: 1\nnodes: {a: {type: add, b: 1}}\noutputs: {a: $a}\n",
    "E206": "graph: 1\nnodes: {a: {type: add, a: 1, b: 101}}\noutputs: {a: $a}\n",
    "E207": "graph: 1\nnodes: {a: {type: total, items: [], kind: avg}}\noutputs: {a: $a}\n",
    "E208": "graph: 1\nnodes: {a: {type: add, a: one}}\noutputs: {a: $a}\n",
}
"""The codes that a schema can know, each with a graph that has this fault alone."""
MORE = """
graph: true
graph: "1"
inputs: {p: {type: itn}}
inputs: {p: {type: "list[itn]"}}
inputs: {p: {type: list}}
inputs: {p: {type: "str[int]"}}
inputs: {p: {type: int, default: x}}
inputs: {p: {type: int, default: $a}}
inputs: {p: {type: str, default: [$a]}}
inputs: {p: {type: Live, default: 1}}
inputs: {p: {type: str, default: {a: 1}}}
inputs: {p: {type: int, min: true}}
inputs: {p: {type: int, optional: 1}}
inputs: {p: {type: int, menu: [[1]]}}
inputs: {p: {default: 1}}
inputs: [a]
outputs: {a: a}
outputs: {a: $$a}
outputs: {a-b: $a}
title: [a]
title: {a: b}
layout: {a: [1]}
layout: {a: [1, 2, 3]}
layout: {a: [1, true]}
presets: {a: 1}
presets: {a: {b: $c}}
presets: {a: {b: {c: d}}}
nodes: {a: {type: add, a: 1.5}}
nodes: {a: {type: add, a: true}}
nodes: {a: {type: add, a: [1]}}
nodes: {a: {type: add, a: {b: 1}}}
nodes: {a: {type: add, a: null}}
nodes: {a: {type: add, a: 1, note: [x]}}
nodes: {a: {type: total, items: [[{a: 1}]]}}
nodes: {a: {type: total, items: [x]}}
nodes: {a: {type: total}}
nodes: {a: {type: renamed}}
nodes: {a: {type: use_live, live: 1}}
nodes: {a: {a: 1}}
nodes: {a: {type: 3}}
nodes: {a: null}
nodes: {a: {type: ./b.yaml, x: {y: z}}}
nodes: 3
"""
"""Faults that stand in one place alone, as lines of a graph that is right without them."""
RIGHT = """
title: 3
title:
description: true
inputs: {p: {type: "list[int] | str", default: [1]}, q: {type: "*"}}
inputs: {p: {type: "list[int]", default: 1}}
inputs: {p: {type: str, default: "$$a", help: 3}}
inputs: {p: {type: float, default: 1, min: 0, optional: false}}
inputs: {p: {type: int, default: null, optional: true}}
inputs:
presets: {a: {}}
presets:
layout: {a: [1, 2.5]}
layout:
nodes: {a: {type: add, a: 1, b: null, note: 3}}
nodes: {a: {type: total, items: 1}}
nodes: {a: {type: total, items: []}}
nodes: {x: {type: add, a: 1}, a: {type: total, items: [$x, 2, $x.output]}}
nodes: {a: {type: renamed, number: 1}}
nodes: {a: {type: renamed, amount: 1, times: 2}}
outputs: {a: $a.output}
"""


def data(tree: Tree | None) -> Any:
    """A tree as an editor's YAML reader hands it to a schema."""
    if isinstance(tree, Table):
        return {entry.key: data(entry.value) for entry in tree.entries}
    if isinstance(tree, Items):
        return [data(value) for value in tree.values]
    return tree.value if isinstance(tree, Leaf) else None


SMALL = from_modules([library])


@cache
def small_schema() -> jsonschema.Draft7Validator:
    return validated(SMALL)


@cache
def whole_schema() -> jsonschema.Draft7Validator:
    return validated(registry())


def validated(known: Registry) -> jsonschema.Draft7Validator:
    made = json.loads(json.dumps(json_schema(known)))
    jsonschema.Draft7Validator.check_schema(made)
    return jsonschema.Draft7Validator(made)


def faults(text: str, known: Registry, folder: Path | None = None) -> list[Diagnostic]:
    compiled = compile_graph(SourceText("g.yaml", text, folder), known, Request(whole=False))
    return [fault for fault in compiled.diagnostics if fault.severity == "error"]


def refused(text: str) -> bool:
    return not small_schema().is_valid(data(parse(text, "g.yaml").tree))


def whole(line: str) -> str:
    """A graph with a line in it."""
    base = {"graph": "1", "nodes": "{a: {type: add, a: 1}}", "outputs": "{a: $a}"}
    key, _, rest = line.partition(":")
    return "".join(f"{name}: {value}\n" for name, value in (base | {key: rest}).items())


@pytest.mark.parametrize("path", GRAPHS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_graph_that_is_right_is_accepted(path: Path) -> None:
    source = from_file(path)
    if not faults(source.text, registry(), source.folder):
        errors = list(whole_schema().iter_errors(data(parse(source.text, "g.yaml").tree)))
        assert not errors, errors[0]


@pytest.mark.parametrize("code", KNOWABLE)
def test_a_fault_of_every_code_that_a_schema_can_know_is_refused(code: str) -> None:
    assert {fault.code for fault in faults(KNOWABLE[code], SMALL)} == {code}
    assert refused(KNOWABLE[code])


@pytest.mark.parametrize("line", MORE.strip().splitlines())
def test_what_stands_wrong_in_one_place_is_refused(line: str) -> None:
    assert faults(whole(line), SMALL)
    assert refused(whole(line))


@pytest.mark.parametrize("line", RIGHT.strip().splitlines())
def test_what_looks_odd_and_is_right_is_accepted(line: str) -> None:
    assert not faults(whole(line), SMALL)
    assert not refused(whole(line))


def test_sections_may_be_empty() -> None:
    text = "graph: 1\nnodes:\ninputs:\npresets:\nlayout:\noutputs:\n"
    assert not faults(text, SMALL)
    assert not refused(text)


BEYOND = {
    ("each", "E103"),  # a port that has a value beside those of each; how many go together
    ("sweeps", "E103"),  # a name in two axes
    ("sweeps", "E110"),  # the graph's own inputs
    ("sweeps", "E208"),  # a sweep's value, whose type stands at its input
    ("switch", "E201"),  # the types of a menu
    ("switch", "E202"),  # the types of a menu
    ("switch", "E205"),  # the types of a menu
    ("switch", "E207"),  # what an input says
    ("inputs", "E208"),  # a preset's value, whose type stands at its input
    ("inside_a_subgraph", "E201"),  # the inputs of another file
    ("inside_a_subgraph", "E205"),  # the inputs of another file
    ("meanings", "E208"),  # the name of a bundle
    ("types_without_bounds", "E202"),  # how many types stand in brackets
    ("unquoted", "E208"),  # what a wire makes of a generic input
}
"""Faults of the zoo that a schema cannot know though it knows others of their code."""


@pytest.mark.parametrize("path", ZOO, ids=lambda path: path.stem)
def test_the_faults_of_the_zoo_are_refused_at_their_places(path: Path) -> None:
    text = path.read_text("utf-8")
    tree = parse(text, "g.yaml").tree
    errors = [
        tuple(map(str, e.absolute_path)) for e in leaves(whole_schema().iter_errors(data(tree)))
    ]
    for fault in faults(text, registry(), path.parent):
        where = place(tree, fault.span) if fault.span and fault.span.file == "g.yaml" else None
        if fault.code in KNOWABLE and where and (path.stem, fault.code) not in BEYOND:
            assert any(_same(error, where) for error in errors), fault


def _same(first: tuple[str, ...], second: tuple[str, ...]) -> bool:
    """Whether one place lies in the other; in the whole file, only what stands at its top."""
    common = min(len(first), len(second))
    return first[:common] == second[:common] and (common > 0 or len(second) < 2)


def leaves(errors: Any) -> list[Any]:
    """Errors, and those inside of those."""
    return [inner for error in errors for inner in (error, *leaves(error.context or ()))]


def place(tree: Tree | None, span: Span) -> tuple[str, ...]:
    """Keys and numbers down to the value, or the key, that stands in a span."""
    inner: list[tuple[str, Tree, Span]] = []
    if isinstance(tree, Table):
        inner = [(entry.key, entry.value, entry.span) for entry in tree.entries]
    elif isinstance(tree, Items):
        inner = [(str(index), value, value.span) for index, value in enumerate(tree.values)]
    for key, value, own in inner:
        if own.line == span.line and own.column == span.column:
            return (key,)
        own, start = value.span, (span.line, span.column)
        if (own.line, own.column) <= start < (own.end_line, own.end_column):
            return (key, *place(value, span))
    return ()


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 200),
    st.floats(-2, 200),
    st.sampled_from(["", "x", "$a", "$b.output", "$c.remainder", "$$x", "$", "1", "sum", "live"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just("k"), inner, max_size=1),
    max_leaves=4,
)
RIGHT_INPUTS = [
    {"type": "int", "default": 3, "min": 0, "max": 9},
    {"type": "list[int]", "default": [1, 2]},
    {"type": "float | str", "default": 1, "help": "Some"},
    {"type": "str", "default": "$$x", "menu": ["$x", "y"]},
    {"type": "Doubled", "default": 1.5},
    {"type": "int", "optional": True},
    {"type": "*"},
]
RIGHT_NODES = [
    {"type": "add", "a": 1, "b": 100},
    {"type": "total", "items": [1, 2], "kind": "max", "note": "some"},
    {"type": "total", "items": 1, "kind": None},
    {"type": "renamed", "amount": 2},
    {"type": "either", "a": "$a", "b": 3},
    {"type": "all_doubled", "items": ["$p", 2]},
    {"type": "halves", "a": "$p"},
    {"type": "unwrap", "value": "$b"},
    {"type": "same", "value": "$a"},
]
KEYS = [
    *"abcpqx",
    "2x",
    "x-y",
    "out",
    "type",
    "default",
    "min",
    "menu",
    "note",
    "kind",
    "items",
    "value",
]
WORDS = ["ad", "add", "./g.yaml", "itn", "list[", "$b.remainder", "$a.output", "max"]


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, Any]:
    """A graph that is about right, and up to two places of it that are something else, or not there."""
    made = {
        "graph": 1,
        "inputs": {"p": RIGHT_INPUTS[0], "q": draw(st.sampled_from(RIGHT_INPUTS))},
        "nodes": {
            "a": {"type": "add", "a": "$p", "b": 100},
            "b": {"type": "live", "a": "$a"},
            "c": draw(st.sampled_from(RIGHT_NODES)),
            "d": draw(st.sampled_from(RIGHT_NODES)),
        },
        "outputs": draw(st.dictionaries(st.sampled_from("xy"), st.sampled_from(["$a", "$c"]))),
        "presets": {"some": {"p": 1}},
        "layout": {"a": [1, 2.5]},
    }
    made = json.loads(json.dumps(made))
    for _ in range(draw(st.integers(0, 2))):
        holder: Any = made
        while True:
            keys = range(len(holder)) if isinstance(holder, list) else sorted(holder)
            key: Any = draw(st.sampled_from([*keys, *keys, "2x" if keys else 0]))
            key = len(holder) if key == "2x" and isinstance(holder, list) else key
            inner = holder[key] if key in keys else None
            if not isinstance(inner, dict | list) or not inner or not draw(st.integers(0, 3)):
                break
            holder = inner
        _spoil(draw, holder, key)
    return made


def _spoil(draw: st.DrawFn, holder: dict[str, Any] | list[Any], key: Any) -> None:
    """Take a value away, or put something in its place, or beside it."""
    if isinstance(holder, list):
        holder[key : key + 1] = draw(st.lists(VALUES, max_size=1))
    elif draw(st.booleans()):
        holder[key] = draw(VALUES | st.sampled_from(WORDS))
    elif draw(st.booleans()):
        holder[draw(st.sampled_from(KEYS))] = draw(VALUES)
    else:
        holder.pop(key, None)


ALWAYS = {"E101", "E102", "E103", "E105", "E111", "E112", "E201", "E205"}
"""Codes of faults that a schema always knows; of the others some stand on values that come from elsewhere."""


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(graphs())
def test_the_schema_agrees_with_the_check(graph: dict[str, Any]) -> None:
    text = json.dumps(graph)
    found = {fault.code for fault in faults(text, SMALL)}
    wrong = not small_schema().is_valid(graph)
    if not found:
        assert not wrong, "a right graph is refused"
    if found & ALWAYS:
        assert wrong, found
