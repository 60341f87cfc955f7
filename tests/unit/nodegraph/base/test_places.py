"""What may be the place of a file, and what never is: a text is no path, and a path that can be none is a fault like others."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nodegraph
from nodegraph.base.diagnostics import GraphError
from nodegraph.language.compile import compile_graph
from nodegraph.language.inputs import Request
from nodegraph.language.source import SourceText
from nodegraph.options import Options
from nodegraph.runtime.abstract import check_shapes
from nodegraph.runtime.recorded import Recorded
from nodegraph.session import Session, find_graph, registry

GRAPH = """graph: 1
inputs:
  words: {type: Text, optional: true}
  label: {type: str, optional: true}
  seed: {type: Seed, default: 0}
  image: {type: Image, optional: true}
  mask: {type: Mask, optional: true}
  many: {type: "list[Image]", optional: true}
  either: {type: "Image | Mask", optional: true}
  models: {type: Bundle, optional: true}
nodes:
  shown: {type: load_image, file: $image}
  known: {type: invert_mask, mask: $mask}
  sheet: {type: grid, images: $many}
outputs: {words: $words, label: $label, seed: $seed, shown: $shown, known: $known, sheet: $sheet, either: $either}
"""
SOURCE = SourceText("g.yaml", GRAPH, Path())
ODD = ("", "\0", "a\0b", "~nosuch/a.png", "a" * 300, "a/" * 600, "/" * 2000, "\x1b[31m", "..", ".")


@pytest.mark.parametrize("length", [254, 255, 256, 300, 1000, 1023, 1024, 5000])
@pytest.mark.parametrize("name", ["words", "label"])
def test_a_text_is_no_path(name: str, length: int) -> None:
    for text in ("a" * length, "/" + "a" * length + ".png", "/etc/passwd"):
        for request in (Request(texts={name: text}), Request({name: text})):
            program = compile_graph(SOURCE, registry(), request).checked()
            assert program.named == () and program.inputs[name] == text


@pytest.mark.parametrize("name", ["image", "mask", "many", "either", "models"])
def test_what_names_files_may_be_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    for request in (
        Request(texts={name: str(path)}),
        Request({name: str(path)}),
        Request({name: path}),
    ):
        program = compile_graph(SOURCE, registry(), request).checked()
        assert program.named == (path,)
    assert (
        compile_graph(SOURCE, registry(), Request(recorded={name: str(path)})).checked().named == ()
    )


@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize("name", ["image", "mask", "many", "either"])
def test_a_path_that_can_be_none_is_a_fault(name: str, text: str) -> None:
    request = Request({name: [text] if name == "many" else text})
    program = compile_graph(SOURCE, registry(), request).checked()
    options = Options(cached=False, readable=program.named)
    errors = check_shapes(program, Session().engine(Recorded(SOURCE), options)).errors
    assert [fault.code for fault in errors] == ["E403"]


def test_who_gives_more_than_the_picture_wins() -> None:
    text = """graph: 1
inputs: {words: {type: Text, default: of the file}, other: {type: Text, default: of the file}}
presets: {loud: {words: of the preset}}
nodes: {}
outputs: {words: $words, other: $other}
"""
    source, recorded = SourceText("g.yaml", text, Path()), dict.fromkeys(("words", "other"), "old")
    for request, wanted in (
        (Request(recorded=recorded), ("old", "old")),
        (Request(recorded=recorded, preset="loud"), ("of the preset", "old")),
        (Request({"other": "new"}, recorded=recorded), ("old", "new")),
        (Request(texts={"words": "new"}, recorded=recorded, preset="loud"), ("new", "old")),
    ):
        program = compile_graph(source, registry(), request).checked()
        assert (program.inputs["words"], program.inputs["other"]) == wanted


def test_halves_of_characters_are_no_text() -> None:
    for name, value in (("words", "a\ud800b"), ("label", "\udcff"), ("image", "\udcff.png")):
        found = compile_graph(SOURCE, registry(), Request({name: value}))
        assert [fault.code for fault in found.diagnostics] == ["E208"]
        assert "no text" in found.diagnostics[0].message


@pytest.mark.parametrize("name", [*ODD, "a" * 300 + ".yaml", "a\0.yaml", "~nosuch/g.yaml"])
def test_a_name_that_can_be_no_graph_is_told(name: str) -> None:
    with pytest.raises(GraphError, match="E005"):
        find_graph(name, registry())
    with pytest.raises(GraphError, match="E005"):
        nodegraph.load(name)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(("words", "image", "mask")), st.text(max_size=400)))
def test_any_text_is_a_value_or_a_fault(texts: dict[str, str]) -> None:
    program = compile_graph(SOURCE, registry(), Request(texts=texts)).program
    if program is not None:
        engine = Session().engine(Recorded(SOURCE), Options(cached=False, readable=program.named))
        errors = check_shapes(program, engine).errors
        assert {fault.code for fault in errors} <= {"E403"}
        assert len(errors) == len(texts.keys() - {"words"})
