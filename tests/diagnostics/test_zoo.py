"""A zoo of bad graphs: the exact text that a person sees for each. `NODEGRAPH_REWRITE=1` writes it anew."""

import os
from pathlib import Path

import pytest

from nodegraph.compile import compile_graph
from nodegraph.inputs import Request
from nodegraph.render import all_as_text, as_json
from nodegraph.session import registry
from nodegraph.source import SourceText

ZOO = Path(__file__).parent / "zoo"
NAMES = sorted(path.stem for path in ZOO.glob("*.yaml"))


def faults(name: str):
    text = (ZOO / f"{name}.yaml").read_text(encoding="utf-8")
    source = SourceText(f"{name}.yaml", text, ZOO)
    compiled = compile_graph(source, registry(), Request(whole=False))
    return compiled.diagnostics, compiled.texts


@pytest.mark.parametrize("name", NAMES)
def test_what_is_said(name: str) -> None:
    found, sources = faults(name)
    said = all_as_text(found, sources).replace(str(ZOO) + os.sep, "") + "\n"
    expected = ZOO / f"{name}.txt"
    if os.environ.get("NODEGRAPH_REWRITE"):
        expected.write_text(said, encoding="utf-8")
    assert said == expected.read_text(encoding="utf-8")


def test_ten_faults_at_their_places() -> None:
    found, _ = faults("ten_faults")
    places = {(f["line"], f["column"]) for f in map(as_json, found)}
    assert len(found) >= 10
    codes = {f.code for f in found}
    assert {
        (4, 3),
        (5, 34),
        (7, 16),
        (8, 57),
        (9, 43),
        (10, 65),
        (11, 36),
        (12, 83),
        (13, 3),
        (16, 10),
    } <= places
    assert {
        "E105",
        "E206",
        "E202",
        "E201",
        "E207",
        "E204",
        "E301",
        "E205",
        "E104",
        "E208",
        "E203",
    } <= codes


def test_ports_of_a_subgraph_are_checked_at_the_boundary() -> None:
    found, _ = faults("inside_a_subgraph")
    assert {(f.code, Path(f.span.file).name) for f in found if f.span} >= {
        ("E201", "inside_a_subgraph.yaml"),
        ("E205", "inside_a_subgraph.yaml"),
        ("E201", "unused_port.yaml"),
    }
