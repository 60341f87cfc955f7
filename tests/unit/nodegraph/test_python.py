"""Graphs in Python: what a loaded one has, results as pictures and files, graphs from texts, notebooks."""

import copy
import warnings
from pathlib import Path
from typing import Any

import library
import numpy as np
import pytest
import torch
from PIL import Image

import nodegraph
from nodegraph.api import LoadedGraph
from nodegraph.base import markup
from nodegraph.base.diagnostics import GraphError
from nodegraph.language.source import SourceText
from nodegraph.library.port import Range
from nodegraph.library.registry import from_modules
from nodegraph.options import Options
from nodegraph.runtime import png
from nodegraph.runtime.provenance import CHUNK
from nodegraph.session import Session
from nodegraph.views import Input, Node, Output
from nodes.wires.tables import Table

NUMBERS = """graph: 1
title: Sums & <more>
inputs:
  a: {type: int, default: 2, min: 0, max: 9, help: The first.}
  w: {type: str, menu: [x, y], default: x}
  seed: {type: int, default: 3}
  n: {type: int}
nodes:
  s: {type: add, note: why, a: $a, b: 5}
  t: {type: total, items: [$s, $seed, $n]}
outputs: {t: $t, w: $w}
"""
PICTURES = """graph: 1
title: <b>A picture</b>
inputs:
  picture: {type: Image}
  mask: {type: Mask}
  seed: {type: int, default: 7}
  word: {type: str, default: "<i>&"}
nodes: {}
outputs: {picture: $picture, word: $word, seed: $seed}
"""


def numbers(text: str = NUMBERS) -> LoadedGraph:
    session = Session(from_modules([library], code="python"))
    return LoadedGraph(
        session.open(SourceText("g.yaml", text)), session, Options(device="cpu", cached=False)
    )


def pictures(text: str = PICTURES) -> LoadedGraph:
    return nodegraph.loads(text, device="cpu", cached=False)


def result(text: str = PICTURES, count: int = 1) -> Any:
    levels = torch.arange(count * 3 * 4 * 5).reshape(count, 3, 4, 5) / (count * 30.0) - 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pictures(text)(picture=levels, mask=torch.ones(1, 1, 4, 5))


BOTH = PICTURES.replace("outputs: {", "outputs: {mask: $mask, ")
NONE = PICTURES.replace("outputs: {picture: $picture, ", "outputs: {")


def test_what_a_graph_has() -> None:
    graph = numbers()
    assert graph.inputs["a"] == Input("a", "int", 2, Range(0, 9), None, "The first.", False)
    assert graph.inputs["w"].menu == ("x", "y")
    assert graph.inputs["n"].required
    assert graph.nodes["s"] == Node("s", "add", {"a": "$a", "b": 5}, "why")
    assert graph.nodes["t"].inputs == {"items": ["$s", "$seed", "$n"]}
    assert graph.outputs == {"t": Output("t", "int"), "w": Output("w", "str")}
    assert repr(graph) == (
        "<graph 'Sums & <more>' (a: int = 2, w: str = 'x', seed: int = 3, n: int)>"
    )


def test_a_graph_with_faults_can_be_looked_at() -> None:
    graph = numbers(NUMBERS.replace("type: add", "type: ad"))
    assert graph.outputs["t"].type == "?"
    assert graph.nodes["s"].type == "ad"
    broken = numbers("a: [")
    assert repr(broken) == "<graph 'g.yaml' that cannot be read>"
    with pytest.raises(GraphError):
        _ = broken.inputs


def test_a_result_in_words() -> None:
    assert repr(numbers()(n=1)) == "<result of 'Sums & <more>'\n  t: 11\n  w: 'x'>"
    told = repr(result())
    assert "picture: float32[1, 3, 4, 5] in [" in told
    assert "tensor(" not in told
    assert max(map(len, told.splitlines())) < 130
    assert copy.copy(numbers()(n=1)) == numbers()(n=1)
    assert "t" in dir(numbers()(n=1))


def test_pictures_are_those_that_are_written() -> None:
    found = result(count=2)
    array = found.to_numpy()
    expected = ((found.picture + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    assert array.dtype == np.uint8
    assert np.array_equal(array, expected)
    assert [picture.size for picture in found.to_pil("picture")] == [(5, 4), (5, 4)]
    assert isinstance(found.picture, torch.Tensor)
    assert (result(BOTH).to_numpy("mask") == 255).all()


@pytest.mark.parametrize(
    ("text", "name", "told"),
    [
        (PICTURES, "pictur", "no output 'pictur'; did you mean 'picture'"),
        (PICTURES, "word", "output 'word' is no picture: it is '<i>&'"),
        (NONE, None, "no output is a picture; there are: word, seed"),
        (BOTH, None, "say which picture is meant; there are: mask, picture"),
    ],
)
def test_a_picture_that_is_not_there(text: str, name: str | None, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        result(text).to_pil(name)


def test_saved_pictures_say_where_they_come_from(tmp_path: Path) -> None:
    found = result()
    (tmp_path / "a.png").write_text("old")
    assert found.save(tmp_path / "a.png") == [tmp_path / "a.png"]
    with (tmp_path / "a.png").open("rb") as file:
        record = png.text(file, CHUNK, 2**20)
    assert record == found.origin.chunks()[CHUNK]
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a.png")), found.to_numpy()[0])
    again = nodegraph.load(tmp_path / "a.png", device="cpu", cached=False)
    assert again.opened.source.text == PICTURES


def test_a_batch_is_saved_as_numbered_files(tmp_path: Path) -> None:
    paths = result(count=12).save(tmp_path / "new" / "a.png")
    assert [path.name for path in paths] == [f"a-{n}.png" for n in range(12)]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(
        path.name for path in paths
    )
    with pytest.raises(ValueError, match=r"must end with \.png"):
        result().save(tmp_path / "a.jpg")


def test_the_cells_of_a_sweep_give_the_same_results(tmp_path: Path) -> None:
    graph = pictures()
    cells = graph.each(
        {"picture": torch.zeros(1, 3, 4, 5), "mask": torch.ones(1, 1, 4, 5)}, seed=[1, 2]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [cell for _, cell in cells]
    assert [cell.origin.inputs["seed"] for cell in found] == [1, 2]
    assert found[1].save(tmp_path / "b.png")[0].exists()
    assert (found[0].to_numpy() == 128).all()


def test_a_graph_from_a_mapping_says_what_its_text_says() -> None:
    written = {
        "graph": 1,
        "inputs": {"a": {"type": "float", "default": 1e-7}, "w": {"type": "str", "default": "1e3"}},
        "nodes": {},
        "outputs": {"a": "$a", "w": "$w"},
    }
    found = nodegraph.loads(written, device="cpu")()
    assert found.outputs == {"a": 1e-7, "w": "1e3"}
    assert nodegraph.loads({**written, "title": "$$5: #"}).inputs["a"].default == 1e-7


def test_files_of_a_graph_without_one_are_relative_to_where_the_program_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (6, 5), "white").save(tmp_path / "p.png")
    monkeypatch.chdir(tmp_path)
    text = "graph: 1\ninputs: {p: {type: Image, default: p.png}}\nnodes: {}\noutputs: {p: $p}\n"
    assert (nodegraph.loads(text, device="cpu", cached=False)().to_numpy() == 255).all()


@pytest.mark.parametrize(
    ("given", "error", "told"),
    [
        (b"graph: 1", TypeError, "a text in YAML, or a mapping"),
        (
            {"graph": 1, "nodes": {"a": {1: 2}}},
            ValueError,
            "a key in a graph file is a text, not 1",
        ),
        ({"graph": 1, "nodes": {"a": object()}}, ValueError, "cannot hold a object"),
    ],
)
def test_what_is_no_graph(given: Any, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        nodegraph.loads(given)


def test_a_notebook_shows_pictures_and_escapes_texts() -> None:
    shown = result(count=3)._repr_html_()
    assert shown.count("data:image/png;base64,") == 3
    assert "<figcaption>&lt;b&gt;A picture&lt;/b&gt;, seed 7</figcaption>" in shown
    assert "<p>&lt;i&gt;&amp;</p>" in shown
    assert "<b>" not in shown
    assert "<i>" not in shown


def test_a_notebook_shows_tables() -> None:
    table = Table(("<a>", "b"), ((1, None), ("<x>", 0.123456789)))
    assert table._repr_html_() == (
        "<table><thead><tr><th>&lt;a&gt;</th><th>b</th></tr></thead><tbody>"
        "<tr><td>1</td><td></td></tr><tr><td>&lt;x&gt;</td><td>0.123457</td></tr></tbody></table>"
    )
    many = markup.table(["n"], [[n] for n in range(markup.MOST_ROWS + 3)])
    assert many.endswith("<p>… and 3 more rows</p>")


def test_a_notebook_shows_the_cells_that_have_run_and_runs_none() -> None:
    library.calls.clear()
    cells = numbers().each({"n": 1, "w": "x"}, a=[1, 2])
    assert cells._repr_html_() == "<p>&lt;2 cells: a (2)&gt;, of which 0 have run</p>"
    assert library.calls == []
    next(iter(cells))
    assert cells._repr_html_().count("<tr>") == 2
