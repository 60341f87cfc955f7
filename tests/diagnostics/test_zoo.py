"""A zoo of bad graphs: the exact text that a person sees for each. `NODEGRAPH_REWRITE=1` writes it anew."""

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from nodegraph.base.render import all_as_text, as_json
from nodegraph.language.compile import compile_graph
from nodegraph.language.inputs import Request
from nodegraph.language.mend import mended
from nodegraph.language.source import SourceText
from nodegraph.language.texts import applied
from nodegraph.session import registry

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


def checked(source: SourceText):
    return compile_graph(source, registry(), Request(whole=False)).diagnostics


REVEALING = ("E001", "E103", "E202")
"""Faults behind which others stand that are seen when they are mended."""


def mends(name: str):
    """Every fault of a zoo file that has a fix in it, with the faults after that fix alone."""
    text = (ZOO / f"{name}.yaml").read_text(encoding="utf-8")
    for fault in faults(name)[0]:
        if fault.fix and all(edit.span.file == f"{name}.yaml" for edit in fault.fix):
            source = SourceText(f"{name}.yaml", applied(text, fault.fix), ZOO)
            yield fault, compile_graph(source, registry(), Request(whole=False)).diagnostics


@pytest.mark.parametrize("name", NAMES)
def test_a_fix_mends_its_fault_and_makes_no_other(name: str) -> None:
    before = Counter((f.code, f.message) for f in faults(name)[0])
    for fault, found in mends(name):
        after = Counter((f.code, f.message) for f in found)
        said = (fault.code, fault.message)
        assert after[said] < before[said], fault
        new = [f for f in found if f.severity == "error" and (f.code, f.message) not in before]
        assert fault.code in REVEALING or not new, (fault, new)
        assert not {"E001", "E002", "E004"} & {f.code for f in new}, fault


def test_most_hints_that_are_one_edit_are_fixes() -> None:
    fixed = Counter(fault.code for name in NAMES for fault, _ in mends(name))
    assert {
        "E001", "E003", "E101", "E102", "E103", "E110", "E201", "E202", "E204", "E206", "E207", "E208", "E209", "W101", "W102", "W105",
    } <= fixed.keys()  # fmt: skip
    hinted = [
        f
        for name in NAMES
        for f in faults(name)[0]
        if (f.hint or "").startswith("did you mean") and f.code != "E110"
    ]
    assert all(f.fix for f in hinted), [f for f in hinted if not f.fix]


@pytest.mark.parametrize("name", NAMES)
def test_all_fixes_together(name: str) -> None:
    text = (ZOO / f"{name}.yaml").read_text(encoding="utf-8")
    found = mended(SourceText(f"{name}.yaml", text, ZOO), checked, unused=True)
    left = [f for f in found.left if f.fix and all(e.span.file == f"{name}.yaml" for e in f.fix)]
    assert not left
    again = mended(SourceText(f"{name}.yaml", found.text, ZOO), checked, unused=True)
    assert again.text == found.text


def test_fixes_are_told_to_programs() -> None:
    (fault,) = [f for f in faults("unused")[0] if f.code == "W102"]
    told = json.loads(json.dumps(as_json(fault)))["fix"]
    assert [set(edit) for edit in told] == [
        {"file", "line", "column", "end_line", "end_column", "text"}
    ]


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
