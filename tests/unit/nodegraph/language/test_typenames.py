"""Names of types that have changed: old ones are read, and one that means another type by now is refused but in pictures."""

from pathlib import Path

import jsonschema
import pytest
from test_recorded import GOOD, carrying

from nodegraph.language.compile import compile_graph
from nodegraph.language.inputs import Request
from nodegraph.language.schema import json_schema
from nodegraph.language.source import SourceText
from nodegraph.language.texts import applied
from nodegraph.session import Session, registry

GRAPH = """graph: 1
inputs:
  guide: {{type: {noised}, default: shapes/glide/clip}}  # kept
  other: {{type: {clean}, default: shapes/unclip/clip}}
nodes:
  denoiser: {{type: unet_denoiser, model: shapes/glide/base}}
  guided:   {{type: clip_guidance, denoiser: $denoiser, clip: $guide, text: a red star}}
  words:    {{type: clip_text, clip: $other, text: a red star}}
outputs: {{guided: $guided, words: $words}}
"""
TODAY = GRAPH.format(noised="NoisedClip", clean="OpenClip")


def faults(text: str):
    return compile_graph(SourceText("g.yaml", text), registry(), Request()).diagnostics


def test_a_former_name_is_read() -> None:
    assert not faults(TODAY)
    crossed = faults(GRAPH.format(noised="OpenClip", clean="NoisedClip"))
    assert [fault.code for fault in crossed] == ["E301", "E301"]
    assert "Clip" in crossed[0].message and "OpenClip" not in crossed[0].message


def test_a_name_that_means_another_type_is_refused_and_mended_by_its_wires() -> None:
    text = GRAPH.format(noised="Clip", clean="Clip")
    found = faults(text)
    assert [fault.code for fault in found] == ["E212", "E212"]
    assert all("'NoisedClip' for" in (f.hint or "") for f in found)
    assert all("'OpenClip' for" in (f.hint or "") for f in found)
    assert applied(text, [edit for fault in found for edit in fault.fix]) == TODAY


def test_pictures_meant_the_older_type(tmp_path: Path) -> None:
    part = "graph: 1\ninputs: {c: {type: 'list[Clip]'}, d: {type: Clip}}\noutputs: {c: $c}\n"
    sources = {"g.yaml": GRAPH.format(noised="Clip", clean="OpenClip"), "parts/h.yaml": part}
    opened = Session().open(carrying(tmp_path / "a.png", GOOD | {"sources": sources}))
    assert opened.source.text == TODAY
    inner = opened.source.siblings["parts/h.yaml"]
    assert inner == part.replace("'list[Clip]'", '"list[NoisedClip]"').replace(
        ": Clip}", ": NoisedClip}"
    )


@pytest.mark.parametrize(
    ("name", "right"), [("OpenClip", True), ("NoisedClip", True), ("Clip", False)]
)
def test_the_schema_knows_the_names(name: str, right: bool) -> None:
    for written in (name, f"list[{name}]"):
        graph = {"graph": 1, "inputs": {"c": {"type": written}}, "outputs": {}}
        found = list(jsonschema.Draft7Validator(json_schema(registry())).iter_errors(graph))
        assert (not found) == right, found


def test_spellings_mean_one_type_each() -> None:
    known = registry()
    assert {known.spellings[known.spelling(name)] for name in known.ports} == set(known.ports)
