"""Graphs with every kind of fault are drawn, or refused where their text cannot be read."""

import re
from xml.etree import ElementTree

import pytest
from campaign import campaign
from fuzzing import TYPES_SECONDS, Case, playground

from nodegraph.base.diagnostics import Diagnostic, GraphError
from nodegraph.drawing.dot import dot
from nodegraph.drawing.mermaid import mermaid
from nodegraph.drawing.svg import svg
from nodegraph.drawn import diagram
from nodegraph.language.source import SourceText
from nodegraph.session import Session

DRAWN: list[str] = []


def drawn(case: Case) -> list[Diagnostic]:
    try:
        text = case.text.decode("utf-8")
        session = Session()
        found = diagram(session, session.open(SourceText("g.yaml", text, case.path.parent)))
    except (GraphError, UnicodeDecodeError):
        return []
    ports = session.registry.ports
    picture = svg(found, ports)
    ElementTree.fromstring(picture)
    places = re.findall(r'(?: d|x|y|width|height|transform)="([^"]*)"', picture)
    assert not [place for place in places if re.search("nan|inf|e[+-]", place)]
    assert len(re.findall(r"^  b\d+ \[label=", dot(found, ports), re.MULTILINE)) == len(found.boxes)
    assert mermaid(found, ports).count(" -->") >= len(found.wires)
    DRAWN.append(picture)
    return []


def test_spoiled_graphs_are_drawn(tmp_path_factory: pytest.TempPathFactory) -> None:
    ground = playground(tmp_path_factory.mktemp("drawn"))
    tally = campaign("drawn", range(300), ground.case, drawn, TYPES_SECONDS)
    tally.passed()
    assert len(DRAWN) > 150
