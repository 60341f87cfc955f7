"""`nodegraph compare`: how far pictures are apart, and what of their recorded graphs differs."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

import nodegraph
from nodegraph.cli import app
from nodegraph.comparing import Difference, differences
from nodegraph.runtime.beside import apart, side_by_side
from nodegraph.session import Session

GRAPH = """graph: 1
inputs:
  caption: {type: Text, default: a red circle}
  seed:    {type: Seed, default: 0}
nodes:
  drawn: {type: shapes_scene, caption: $caption, size: 32, seed: $seed}
  whole: {type: grid, images: $drawn, gap: 0}
outputs: {image: $whole}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "g.yaml").write_text(GRAPH, "utf-8")
    other = (
        GRAPH.replace("gap: 0", "gap: 4, columns: 1")
        .replace("whole", "sheet")
        .replace("size: 32", "size: 16")
    )
    (tmp_path / "h.yaml").write_text(other, "utf-8")
    return tmp_path


def drawn(name: str, out: str, **inputs: Any) -> Path:
    """A picture that a graph made, with its record."""
    nodegraph.load(name, cached=False)(**inputs).save(f"{out}.png")
    return Path(f"{out}.png")


def compare(*arguments: str | Path, code: int = 0) -> Result:
    done = CliRunner().invoke(app, ["compare", *map(str, arguments)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == code, done.output
    return done


def grey(path: str, level: int, side: int = 8, dot: int | None = None) -> Path:
    picture = np.full((side, side, 3), level, np.uint8)
    if dot is not None:
        picture[0, 0, 1] = dot
    Image.fromarray(picture).save(path)
    return Path(path)


def test_inputs_that_differ_are_named(folder: Path) -> None:
    first, second = drawn("g.yaml", "a"), drawn("g.yaml", "b", seed=3, caption="a blue star")
    found = json.loads(compare(first, second, "--json").stdout)
    assert found["differences"] == [
        {"kind": "input", "name": "caption", "first": "a red circle", "second": "a blue star"},
        {"kind": "input", "name": "seed", "first": 0, "second": 3},
    ]
    says = compare(first, second).stdout
    assert "input seed: 0 → 3" in says
    assert "PSNR" in says


def test_nodes_and_ports_that_differ_are_named(folder: Path) -> None:
    opened = [Session().open(drawn(f"{name}.yaml", name)) for name in "gh"]
    assert differences(*opened) == [
        Difference("graph", "", "g.yaml", "h.yaml"),
        Difference("node", "whole", "grid", None),
        Difference("node", "sheet", None, "grid"),
        Difference("port", "drawn.size", 32, 16),
        Difference("output", "image", "$whole", "$sheet"),
    ]


def test_the_same_picture_is_the_same(folder: Path) -> None:
    first = drawn("g.yaml", "a")
    says = compare(first, first).stdout
    assert "all equal" in says
    assert "graph: the same" in says


def test_models_versions_and_subgraphs_that_differ_are_named(folder: Path) -> None:
    one = Session().open(drawn("g.yaml", "a"))
    one = replace(one, models={"shapes/x": "1" * 64}, versions={"torch": "2.1", "numpy": "2"})
    source = replace(one.source, siblings={**one.source.siblings, "part": "graph: 1"})
    other = replace(one, source=source, models={"shapes/x": "2" * 64}, device="cuda")
    other = replace(other, versions={"torch": "2.2", "numpy": "2"})
    assert [(d.kind, d.name) for d in differences(one, other)] == [
        ("subgraph", "part"),
        ("model", "shapes/x"),
        ("device", ""),
        ("version", "torch"),
    ]


def test_how_far_pixels_are_apart(folder: Path) -> None:
    first, second = grey("a.png", 100), grey("b.png", 100, dot=131)
    found = json.loads(compare(first, second, "--json").stdout)
    assert found["pixels"] == {
        "equal": 63 / 64,
        "within_a_level": 63 / 64,
        "mean": 31 / 192,
        "largest": 31,
        "psnr": pytest.approx(10 * np.log10(255**2 * 192 / 31**2)),
    }
    assert len(found["without_a_graph"]) == 2
    assert apart(Image.open(first), Image.open(grey("c.png", 101))).within_a_level == 1.0


def test_the_picture_shows_both_and_their_difference(folder: Path) -> None:
    first, second = grey("a.png", 100, 64), grey("b.png", 100, 64, dot=120)
    compare(first, second, "--out", "made")
    with Image.open("made/compare-001.png") as page:
        shown = np.asarray(page)
    assert (shown == 100).all(2).sum() == 2 * 64 * 64 - 1
    names = "a.png", "b.png"
    assert np.array_equal(side_by_side(Image.open(first), Image.open(second), names), shown)
    assert (shown == (0, 240, 0)).all(2).sum() == 1


def test_pictures_of_two_sizes_are_shown_and_not_subtracted(folder: Path) -> None:
    says = compare(grey("a.png", 0, 8), grey("b.png", 0, 16)).stdout
    assert "8 × 8 and 16 × 16, so they are not compared" in says
    assert (folder / "out" / "compare-001.png").is_file()


@pytest.mark.parametrize(
    ("name", "says"),
    [("nosuch.png", "No such file"), ("g.yaml", "is no picture"), ("cut.png", "cannot be read")],
)
def test_what_is_no_picture_is_told(name: str, says: str, folder: Path) -> None:
    whole = grey("a.png", 3, 64).read_bytes()
    Path("cut.png").write_bytes(whole[: len(whole) // 2])
    assert says in compare("a.png", name, code=1).stderr
    assert not (folder / "out").exists()


def test_a_place_that_cannot_be_written_is_told(folder: Path) -> None:
    Path("afile").write_text("x", "utf-8")
    says = compare(grey("a.png", 1), grey("b.png", 2), "--out", "afile", code=1).stderr
    assert "afile cannot be written" in says


def test_it_needs_no_torch(folder: Path) -> None:
    first, second = drawn("g.yaml", "a"), drawn("g.yaml", "b", seed=1)
    code = (
        "import sys; from nodegraph.cli import program; from typer.testing import CliRunner;"
        f"r = CliRunner().invoke(program('compare'), ['compare', {str(first)!r}, {str(second)!r}]);"
        "assert r.exit_code == 0, r.output; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
