"""Edits of a loaded graph: comments stay, what does not fit is told at once, nothing of others is overwritten."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nodegraph
from nodegraph.api import LoadedGraph
from nodegraph.base.diagnostics import GraphError
from nodegraph.edited import Edited
from nodegraph.language.format import formatted

TEXT = """# Mine, with care.
graph: 1
title: Scenes
inputs:
  word: {type: Text, default: "a red star"}  # what is drawn
  size: {type: int, default: 32, max: 64}
presets: {large: {size: 64}}
nodes:
  # The scene itself.
  scene: {type: shapes_scene, caption: $word, seed: 3, size: $size}
  small: {type: resize, image: $scene, size: 16}   # not large
outputs:
  image: $small  # the end
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LoadedGraph:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(TEXT, "utf-8")
    return nodegraph.load("mine.yaml", device="cpu", cached=False)


def code_of(deed: Callable[[], Any]) -> tuple[str, str]:
    with pytest.raises(GraphError) as caught:
        deed()
    return caught.value.diagnostics[0].code, str(caught.value)


def test_edits_run_and_leave_the_graph_as_it_was(mine: LoadedGraph) -> None:
    edited = mine.edit.set("small.size", 8).add("half", "resize", image="$small", size=4)
    edited = edited.set("outputs.half", "$half")
    result = edited.graph()
    assert result.image.shape == (1, 3, 8, 8)
    assert result.half.shape == (1, 3, 4, 4)
    assert mine().image.shape == (1, 3, 16, 16)
    assert Path("mine.yaml").read_text("utf-8") == TEXT
    assert mine.edit.text == TEXT


def test_what_is_saved_keeps_comments_and_order_and_is_in_form(mine: LoadedGraph) -> None:
    saved = mine.edit.set("small.size", 8).set("word.default", "a blue star").save()
    text = Path("mine.yaml").read_text("utf-8")
    assert text == formatted(text, "mine.yaml")
    comments = [line.partition("#")[2] for line in TEXT.splitlines() if "#" in line]
    assert [line.partition("#")[2] for line in text.splitlines() if "#" in line] == comments
    assert "size: 8}" in text
    assert saved.inputs["word"].default == "a blue star"
    assert saved().image.shape == (1, 3, 8, 8)
    assert saved.edit.set("small.size", 9).save().nodes["small"].inputs["size"] == 9


def test_every_place_of_a_graph_can_be_written_and_emptied(mine: LoadedGraph) -> None:
    edited = (
        mine.edit.set("title", "Others")
        .set("description", "Of scenes.")
        .set("small.note", "why")
        .set("presets.large.word", "a green star")
        .set("size.max", 128)
        .add_input("side", "int", default=8, min=1)
        .connect("side", "small.size")
        .connect("scene", "outputs.whole")
        .rename("scene", "drawn")
        .rename("word", "caption")
        .add("many", "shapes_scene", caption="a red star")
        .set("many.each.seed", [1, 2])
        .set("outputs.many", "$many")
        .move("small", 10, 20)
        .frame("All: of it.", ["drawn", "small"])
    )
    graph = edited.graph
    read = graph.session.read(graph.opened)
    assert (read.title, read.description) == ("Others", "Of scenes.")
    assert read.nodes["small"].note == "why"
    assert list(graph.inputs) == ["caption", "size", "side"]
    assert (graph.inputs["size"].range.high, graph.inputs["side"].range.low) == (128, 1)
    assert graph.nodes["small"].inputs == {"image": "$drawn", "size": "$side"}
    assert read.layout == {"small": (10, 20)}
    assert read.frames == {"All: of it.": ("drawn", "small")}
    assert [axis.names for axis in read.nodes["many"].each or ()] == [("seed",)]
    assert list(read.presets["large"]) == ["size", "caption"]
    assert len(graph().many) == 2
    bare = (
        edited.unset("many.each.seed")
        .set("many.seed", 3)
        .unset("frames.All: of it.")
        .unset("layout.small")
        .unset("small.note")
        .unset("presets.large.caption")
        .unset("presets.large")
        .unset("outputs.whole")
        .unset("side.min")
        .unset("drawn.size")
        .remove("size")
    )
    read = bare.graph.session.read(bare.graph.opened)
    assert not (read.layout or read.frames or read.presets or read.nodes["many"].each)
    assert bare.graph.inputs["side"].range.low is None
    assert bare.graph().image.shape == (1, 3, 8, 8)


def test_values_of_numpy_paths_and_tuples_are_written_plainly(mine: LoadedGraph) -> None:
    nodes = mine.edit.set("small.size", np.int64(8)).graph.nodes
    assert nodes["small"].inputs["size"] == 8
    edited = mine.edit.add_input("p", "Image", default=Path("a.png"))
    assert edited.graph.inputs["p"].default == "a.png"
    many = mine.edit.add_input("s", "list[int]", default=(1, 2)).graph.inputs["s"]
    assert many.default == [1, 2]


@pytest.mark.parametrize(
    ("deed", "code", "word"),
    [
        (lambda e: e.set("smal.size", 8), "E118", "did you mean 'small'"),
        (lambda e: e.set("small.sise", 8), "E201", "did you mean 'size'"),
        (lambda e: e.set("small.size", "wide"), "E208", "size"),
        (lambda e: e.set("size.default", 100), "E206", "64"),
        (lambda e: e.set("small.size", object()), "E118", "object"),
        (lambda e: e.set("small", 8), "E118", "node.port"),
        (lambda e: e.set("a.b.c.d", 8), "E118", "node.port"),
        (lambda e: e.set("outputs.image", "small"), "E118", "$small"),
        (lambda e: e.connect("word", "scene.seed"), "E301", "Text"),
        (lambda e: e.connect("nobody", "small.image"), "E118", "nobody"),
        (lambda e: e.connect("word", "small"), "E118", "node.port"),
        (lambda e: e.connect("small", "scene.seed"), "E106", "small"),
        (lambda e: e.add("more", "resise", image="$small"), "E202", "did you mean 'resize'"),
        (lambda e: e.add("small", "resize"), "E118", "already"),
        (lambda e: e.add("more", "resize", sise=3), "E201", "size"),
        (lambda e: e.add_input("more", "Imag"), "E202", "Image"),
        (lambda e: e.set("small.type", "clip_x0"), "E201", "image"),
        (lambda e: e.remove("nobody"), "E118", "nobody"),
        (lambda e: e.rename("small", "not a name"), "E118", "name"),
        (lambda e: e.unset("small.nothing"), "E118", "nothing"),
        (lambda e: e.unset("small"), "E118", "place"),
        (lambda e: e.unset("word.type"), "E118", "type"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_at_once(
    mine: LoadedGraph, deed: Callable[[Edited[Any]], Any], code: str, word: str
) -> None:
    found, told = code_of(lambda: deed(mine.edit))
    assert found == code, told
    assert word in told


def test_what_is_missing_may_come_later_and_is_not_saved(mine: LoadedGraph) -> None:
    edited = mine.edit.remove("scene")
    assert code_of(lambda: edited.graph())[0] == "E204"
    assert code_of(edited.save)[0] == "E204"
    assert Path("mine.yaml").read_text("utf-8") == TEXT
    edited = edited.add("other", "shapes_scene")
    edited = edited.connect("other", "small.image")
    assert code_of(edited.save)[0] == "E205"
    edited = edited.connect("word", "other.caption").connect("size", "other.size")
    assert edited.save()().image.shape == (1, 3, 16, 16)


def test_nothing_of_others_is_overwritten(mine: LoadedGraph) -> None:
    edited = mine.edit.set("small.size", 8)
    Path("other.yaml").write_text("other", "utf-8")
    Path("link.yaml").symlink_to("nowhere.yaml")
    for name in ("other.yaml", "link.yaml"):
        with pytest.raises(FileExistsError, match="replace=True"):
            edited.save(name)
    assert Path("other.yaml").read_text("utf-8") == "other"
    assert edited.save("other.yaml", replace=True)().image.shape == (1, 3, 8, 8)
    Path("mine.yaml").write_text(TEXT + "# more\n", "utf-8")
    with pytest.raises(FileExistsError, match="changed since"):
        edited.save()
    assert Path("mine.yaml").read_text("utf-8") == TEXT + "# more\n"
    edited.save(replace=True)
    assert "# more" not in Path("mine.yaml").read_text("utf-8")
    for wrong in ("mine.txt", "mine"):
        with pytest.raises(ValueError, match=r"\*\.yaml"):
            edited.save(wrong)


def test_shipped_graphs_stay_as_they_are_and_others_are_made_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    graph = nodegraph.load("ddpm/unconditional", device="cpu", cached=False)
    place = Path(graph.opened.source.name)
    before = place.read_bytes()
    edited = graph.edit.set("title", "Mine")
    for wrong in (edited.save, lambda: edited.save(place, replace=True)):
        with pytest.raises(PermissionError, match="shipped"):
            wrong()
    assert place.read_bytes() == before
    assert edited.save("made/mine.yaml").opened.source.name == "made/mine.yaml"
    assert nodegraph.load("made/mine.yaml").edit.text.count("Mine") == 1


def test_a_graph_whose_files_would_be_lost_stays_where_they_are(mine: LoadedGraph) -> None:
    Path("whole.yaml").write_text(
        "graph: 1\nnodes: {a: {type: ./mine.yaml}}\noutputs: {a: $a}\n", "utf-8"
    )
    whole = nodegraph.load("whole.yaml", device="cpu").edit.set("title", "T")
    assert code_of(lambda: whole.save("away/whole.yaml"))[0] == "E107"
    assert not Path("away").exists()
    mine().save("star.png")
    pictured = mine.edit.add("p", "load_image", file="star.png").set("outputs.p", "$p")
    told = code_of(lambda: pictured.save("away/p.yaml"))[1]
    assert "star.png" in told
    assert not Path("away").exists()
    assert pictured.save("p.yaml")().p.shape == (1, 3, 16, 16)


def test_a_graph_of_no_file_needs_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    edited = nodegraph.loads(TEXT, device="cpu").edit.set("title", "Mine")
    with pytest.raises(ValueError, match="say where"):
        edited.save()
    assert edited.save("new.yaml").edit.set("title", "Again").save().session is not None


def test_what_a_picture_says_of_inputs_holds_until_they_are_edited(mine: LoadedGraph) -> None:
    path = mine(word="a green star", size=48).save("star.png")[0]
    found = nodegraph.load(path, device="cpu", cached=False).edit
    assert found.graph.opened.inputs == {"word": "a green star", "size": 48}
    edited = found.set("word.default", "a blue star")
    assert edited.graph.opened.inputs == {"size": 48}
    assert edited.rename("size", "side").graph.opened.inputs == {}


def test_an_edit_of_a_faulty_graph_tells_its_own_faults(mine: LoadedGraph) -> None:
    Path("bad.yaml").write_text(TEXT.replace("seed: 3", "sed: 3"), "utf-8")
    edited = nodegraph.load("bad.yaml", device="cpu").edit
    edited = edited.set("small.size", 8)
    assert code_of(edited.save)[0] == "E201"
    edited = edited.unset("scene.sed")
    assert edited.save()().image.shape == (1, 3, 8, 8)
    broken = nodegraph.loads("graph: 1\nnodes: [", device="cpu").edit
    assert code_of(lambda: broken.set("title", "T"))[0] == "E001"
    assert repr(edited) == "<edited graph 'bad.yaml'>"
