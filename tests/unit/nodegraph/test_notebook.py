"""Progress in a notebook: one place, written again; nothing where there is no notebook or nothing to wait for."""

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import library
import pytest

from nodegraph.api import LoadedGraph
from nodegraph.base.codes import Code
from nodegraph.base.diagnostics import NodeFailed, diagnostic
from nodegraph.language.source import SourceText
from nodegraph.library.registry import from_modules
from nodegraph.notebook import PAUSE, Watch, in_notebook
from nodegraph.options import Options
from nodegraph.runtime.events import Completed, Failed, Stepped
from nodegraph.session import Session


@dataclass
class Screen:
    """What a notebook shows: a list for each place, of all that was written there."""

    places: list[list[str]] = field(default_factory=list)

    def display(self, data: dict[str, str], *, raw: bool, display_id: bool) -> Any:
        assert raw
        assert display_id
        assert data["text/plain"] == ""
        self.places.append([data["text/html"]])
        written = self.places[-1]
        return SimpleNamespace(update=lambda data, raw: written.append(data["text/html"]))


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """A notebook's kernel in which a second passes with each look at the clock."""
    screen = Screen()
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "IPython.display", screen)  # type: ignore[arg-type]
    clock = iter(range(1000))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    return screen


def steps(count: int) -> Iterator[Any]:
    for done in range(1, count + 1):
        yield Stepped("slow", done, count, done, "t = <3>", encode=lambda value: b"png %d" % value)


def graph(then: str) -> LoadedGraph:
    """A graph of a node that shows three steps, and of another behind it."""
    session = Session(from_modules([library], code="notebook"))
    text = "graph: 1\ntitle: G\ninputs: {n: {type: int, default: 3}}\nnodes:\n  a: {type: steps, count: $n}\n"
    text += f"  b: {{type: {then}, a: $a}}\noutputs: {{b: $b}}\n"
    opened = session.open(SourceText("g.yaml", text))
    return LoadedGraph(opened, session, Options(device="cpu", cached=False))


def test_steps_are_shown_in_one_place_with_their_previews(screen: Screen) -> None:
    list(Watch().follow(iter([*steps(3), Completed({})]), "A <graph>"))
    ((*shown, last),) = screen.places
    assert len(shown) == 3
    for done, html in enumerate(shown, 1):
        assert f"A &lt;graph&gt;: slow, step {done} of 3, t = &lt;3&gt;" in html
        assert f'<progress max="3" value="{done}"' in html
        assert html.count("data:image/png;base64,") == 1
    assert len(set(shown)) == 3
    assert last == "<p>A &lt;graph&gt;: 0 nodes ran, 0 were kept, 4.0 s</p>"


def test_steps_that_come_quickly_are_not_all_shown(
    screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock) * PAUSE / 3.9)
    list(Watch().follow(steps(9), "g"))
    assert [html.count("progress") for html in screen.places[0]].count(2) == 3


def test_what_shows_no_steps_leaves_no_trace(screen: Screen) -> None:
    list(Watch().follow(iter([Completed({})]), "g"))
    assert screen.places == []


def test_several_runs_share_a_place(screen: Screen) -> None:
    watch = Watch()
    for number in range(3):
        list(watch.follow(iter([*steps(1), Completed({})]), f"cell {number}"))
    assert len(screen.places) == 1
    assert "cell 2" in screen.places[0][-1]


def test_a_run_that_is_left_says_where(screen: Screen) -> None:
    events = Watch().follow(steps(9), "g")
    next(events)
    next(events)
    events.close()  # type: ignore[attr-defined]
    assert screen.places[0][-1].startswith("<p>g: stopped at slow, step 2 of 9, ")


def test_a_graph_that_is_called_is_followed(screen: Screen) -> None:
    found = graph("add")
    found()
    ((*shown, last),) = screen.places
    assert len(shown) == 3
    assert "G: a, step 3 of 3" in shown[-1]
    assert last.startswith("<p>G: 2 nodes ran, 0 were kept")
    found()
    assert len(screen.places) == 1


def test_a_run_that_fails_says_where(screen: Screen) -> None:
    fault = diagnostic(Code.NODE_FAILED, "it was too much")

    def events() -> Iterator[Any]:
        yield from steps(2)
        yield Failed("b", fault)
        raise NodeFailed(fault, {})

    with pytest.raises(NodeFailed):
        list(Watch().follow(events(), "G"))
    assert screen.places[0][-1].startswith("<p>G: stopped at b, ")


def test_the_cells_of_a_sweep_share_a_place(screen: Screen) -> None:
    cells = graph("add").each(n=[1, 2, 3])
    assert len(list(cells)) == 3
    (written,) = screen.places
    assert written[-1].startswith("<p>3 of 3 cells, ")
    assert "cell 3 of 3: a, step" in written[-2]


def test_ipython_in_a_terminal_is_no_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = SimpleNamespace(get_ipython=SimpleNamespace)
    monkeypatch.setitem(sys.modules, "IPython", terminal)  # type: ignore[arg-type]
    assert not in_notebook()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))  # type: ignore[arg-type]
    assert not in_notebook()
    monkeypatch.delitem(sys.modules, "IPython")
    assert not in_notebook()
    assert graph("add")().b == 4
