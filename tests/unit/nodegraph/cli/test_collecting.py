"""Garbage is put off by the command line alone, while it checks; a call from Python leaves Python's own ways alone."""

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import library
import pytest
from typer.testing import CliRunner

from nodegraph.cli import app, console
from nodegraph.cli.collecting import uncollected
from nodegraph.language import compile as compiling
from nodegraph.language.compile import compile_graph
from nodegraph.language.source import SourceText
from nodegraph.library.registry import from_modules

GRAPH = "graph: 1\nnodes: {a: {type: add, a: 1}}\noutputs: {a: $a}\n"


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[bool]]:
    """Whether garbage was collected, each time that a graph was read for its program."""
    found: list[bool] = []
    read = compiling.read_graph

    def watched(*arguments: Any) -> Any:
        found.append(gc.isenabled())
        return read(*arguments)

    monkeypatch.setattr(compiling, "read_graph", watched)
    monkeypatch.setattr(console, "known", lambda _: from_modules([library]))
    monkeypatch.setenv("NODEGRAPH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "g.yaml").write_text(GRAPH, "utf-8")
    (tmp_path / "bad.yaml").write_text(GRAPH.replace("add", "adds"), "utf-8")
    console._registry.cache_clear()
    yield found
    console._registry.cache_clear()


def test_a_call_from_python_collects_as_ever(seen: list[bool]) -> None:
    assert compile_graph(SourceText("g.yaml", GRAPH), from_modules([library])).diagnostics == ()
    assert seen == [True]


@pytest.mark.parametrize("name", ["g.yaml", "bad.yaml"])
@pytest.mark.parametrize("command", ["check", "plan", "run"])
def test_a_command_collects_again_when_it_has_checked(
    command: str, name: str, seen: list[bool]
) -> None:
    done = CliRunner().invoke(app, [command, name])
    assert done.exit_code == (name == "bad.yaml"), done.output
    assert seen and not any(seen)
    assert gc.isenabled()


def test_what_was_made_meanwhile_is_old_and_no_object_stays_for_ever() -> None:
    gc.collect()
    with uncollected():
        ring: list[object] = []
        ring.append(ring)
    assert gc.get_freeze_count() == 0
    assert any(found is ring for found in gc.get_objects(generation=2))
