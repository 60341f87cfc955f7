"""Literals of domain types are read when types are checked: in one form, with every fault at its own place."""

import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest

from nodegraph import Doc, PortType, Range, node
from nodegraph.base.diagnostics import Diagnostic
from nodegraph.language.compile import compile_graph
from nodegraph.language.inputs import Request
from nodegraph.language.literals import BadLiteral, as_written
from nodegraph.language.program import Constant, Program
from nodegraph.language.source import SourceText
from nodegraph.library.registry import Registry, from_modules


def read_level(literal: Any) -> str:
    """`3`, "3" and `high`; anything else is refused."""
    text = str(literal).strip().lower()
    if text.lstrip("-").isdecimal() and int(text) < 1:
        raise BadLiteral("E206", "a level is at least 1", "write 1")
    if text != "high" and not text.isdecimal():
        raise ValueError(f"'{literal}' is no level")
    return text


def read_pair(literal: Any) -> list[Any]:
    """One value, or two."""
    pair = literal if isinstance(literal, list) else [literal, literal]
    if len(pair) != 2:
        raise ValueError("a pair has two")
    return pair


Level = Annotated[
    str, PortType("Level", literal="scalar", read=read_level, widens_from=("int", "str"))
]
Pair = Annotated[list[int], PortType("Pair", literal="list", read=read_pair)]


@node(category="test")
def one(
    level: Annotated[Level, Doc("A level.")], pair: Annotated[Pair | None, Range(0, 9)] = None
) -> int:
    """Takes a level."""
    return 1


@node(category="test")
def many(levels: list[Level]) -> int:
    """Takes levels."""
    return 1


@node(category="test")
def number() -> int:
    """A number that is not known before it runs."""
    return 2


@pytest.fixture(scope="module")
def registry() -> Registry:
    return from_modules([sys.modules[__name__]])


def compiled(
    registry: Registry, text: str, **inputs: Any
) -> tuple[Program | None, list[Diagnostic]]:
    source = SourceText("g.yaml", f"graph: 1\n{text}", Path())
    found = compile_graph(source, registry, Request(inputs))
    return found.program, [fault for fault in found.diagnostics if fault.severity == "error"]


def levels(registry: Registry, text: str, **inputs: Any) -> list[Any]:
    """What stands on the port of the last step."""
    program, faults = compiled(registry, text, **inputs)
    assert not faults
    assert program is not None
    (source, *_) = program.steps[-1].inputs.values()
    entries = getattr(source, "entries", (source,))
    return [entry.value for entry in entries if isinstance(entry, Constant)]


@pytest.mark.parametrize("written", ["3", '"3"', '" 3 "'])
def test_equal_literals_are_one_value(registry: Registry, written: str) -> None:
    assert levels(
        registry, f"nodes: {{a: {{type: one, level: {written}}}}}\noutputs: {{a: $a}}"
    ) == ["3"]


@pytest.mark.parametrize("kind", ["Level", "str", "int"])
def test_a_literal_that_comes_through_an_input_is_read(registry: Registry, kind: str) -> None:
    text = (
        f"inputs: {{level: {{type: {kind}}}}}\n"
        "nodes: {a: {type: NODE, PORT: $level}}\noutputs: {a: $a}"
    )
    for name, port in (("one", "level"), ("many", "levels")):
        graph = text.replace("NODE", name).replace("PORT", port)
        good, bad = (3, 0) if kind == "int" else ("3", "0")
        assert levels(registry, graph, level=good) == ["3"]
        _, faults = compiled(registry, graph, level=bad)
        assert [(f.code, f.hint) for f in faults] == [("E206", "write 1")]


def test_a_list_of_literals_comes_through_an_input(registry: Registry) -> None:
    text = 'inputs: {levels: {type: "list[int]"}}\nnodes: {a: {type: many, levels: $levels}}\noutputs: {a: $a}'
    assert levels(registry, text, levels=[1, 2]) == [["1", "2"]]
    _, faults = compiled(registry, text, levels=[1, 0])
    assert [f.code for f in faults] == ["E206"]


def test_every_fault_is_told_at_its_place_beside_all_others(registry: Registry) -> None:
    text = (
        "nodes:\n"
        "  a: {type: one, level: -5}\n"
        "  b: {type: one, levle: 1, level: low}\n"
        "  c: {type: many, levels: [0, high, low, true]}\n"
        "  d: {type: one, level: 1, pair: [1, 2, 3]}\n"
        "  e: {type: one, level: 1, pair: [1, 10]}\n"
        "  f: {type: one, level: $n}\n"
        "  n: {type: number}\n"
        "outputs: {a: $a, b: $b, c: $c, d: $d, e: $e, f: $f}\n"
    )
    _, faults = compiled(registry, text)
    lines = ["graph: 1", *text.splitlines()]
    spans = [(fault.code, fault.span) for fault in faults if fault.span is not None]
    assert [(c, lines[s.line - 1][s.column - 1 : s.end_column - 1]) for c, s in spans] == [
        ("E206", "-5"),
        ("E201", "levle"),
        ("E208", "low"),
        ("E206", "0"),
        ("E208", "low"),
        ("E208", "true"),
        ("E208", "[1, 2, 3]"),
        ("E206", "[1, 10]"),
    ]


def test_what_a_type_reads_is_found_without_its_module(registry: Registry) -> None:
    assert registry.ports["Level"].read == f"{__name__}:read_level"
    with pytest.raises(ValueError, match="no function of a module"):
        PortType("Nameless", read=lambda literal: literal)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (np.int64(3), 3),
        (np.uint8(3), 3),
        (np.float32(0.5), 0.5),
        (np.float64(0.5), 0.5),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        ([np.int32(1), (np.float16(2),)], [1, [2.0]]),
        (True, True),
        (None, None),
    ],
)
def test_numbers_of_numpy_are_numbers(given: Any, expected: Any) -> None:
    found = as_written(given)
    assert found == expected
    assert type(found) is type(expected)


def test_a_number_of_numpy_is_what_a_graph_is_given(registry: Registry) -> None:
    text = "inputs: {n: {type: Level}}\nnodes: {a: {type: one, level: $n}}\noutputs: {a: $a}"
    assert levels(registry, text, n=np.int64(3)) == ["3"]
