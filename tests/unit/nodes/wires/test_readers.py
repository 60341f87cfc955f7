"""How the nodes' types read literals, and what is refused before anything runs."""

from pathlib import Path
from typing import Any

import pytest

import nodegraph
from nodegraph.language.literals import BadLiteral
from nodes.diffusion.respacing import spaced_timesteps
from nodes.wires.scalars import read_label, read_seed, read_size, read_steps


@pytest.mark.parametrize(
    ("literal", "steps"),
    [
        (20, "20"),
        ("20", "20"),
        (" 020 ", "20"),
        ("10, 10,3,2,2", "10,10,3,2,2"),
        ("ddim050", "ddim50"),
        (" fast27", "fast27"),
        ("", ""),
    ],
)
def test_steps(literal: Any, steps: str) -> None:
    assert read_steps(literal) == steps
    assert spaced_timesteps(1000, literal) == spaced_timesteps(1000, steps)


@pytest.mark.parametrize("literal", [0, -5, "0", "-1", "10,0", "ddim0"])
def test_at_least_one_step(literal: Any) -> None:
    with pytest.raises(BadLiteral, match="at least 1") as caught:
        read_steps(literal)
    assert caught.value.code == "E206"


@pytest.mark.parametrize("literal", [2.0, "2.5", "ten", "10;10", "ddim", "fast28", "1,,2", "²"])
def test_what_are_no_steps(literal: Any) -> None:
    with pytest.raises(ValueError, match="steps"):
        read_steps(literal)


@pytest.mark.parametrize(
    ("literal", "label"), [(3, 3), ("3", 3), ("-1", -1), ("", ""), (" Red  CIRCLE", "red circle")]
)
def test_labels(literal: Any, label: int | str) -> None:
    assert read_label(literal) == label


def test_a_label_that_is_no_class() -> None:
    with pytest.raises(BadLiteral, match="no class 'red circel'") as caught:
        read_label("red circel")
    assert caught.value.hint == "did you mean 'red circle'?"
    with pytest.raises(BadLiteral):
        read_label(2.0)


def test_sizes() -> None:
    assert read_size(64) == read_size("64") == read_size([64, 64]) == [64, 64]
    assert read_size([32, 64]) == [32, 64]
    for literal in ([1, 2, 3], [], "wide", 2.5, [True, 1]):
        with pytest.raises(BadLiteral):
            read_size(literal)


def test_seeds() -> None:
    assert (read_seed(7), read_seed(-1), read_seed(2.0)) == (7, 2**64 - 1, 2)
    for literal in (1.5, float("nan"), float("inf")):
        with pytest.raises(BadLiteral, match="whole number"):
            read_seed(literal)


LABELLED = """graph: 1
inputs:
  index: {type: "list[int]", default: [INDEX]}
  steps: {type: str, default: "STEPS"}
nodes:
  told:     {type: label, index: $index}
  network:  {type: unet_denoiser, model: FOLDER/adm/diffusion, conditions: $told}
  wanted:   {type: label, index: WANTED}
  guided:   {type: classifier_guidance, denoiser: $network, classifier: FOLDER/adm/classifier, label: $wanted}
  schedule: {type: noise_scheduler, model: FOLDER/adm/diffusion, steps: $steps}
  image:    {type: ddim_sampler, denoiser: $guided, schedule: $schedule}
  noised:   {type: forward_diffusion, image: $image, schedule: $all, t: TIMES}
  all:      {type: noise_scheduler, model: FOLDER/adm/diffusion}
outputs: {image: $image, noised: $noised.image}
"""
GOOD = {"INDEX": "64", "STEPS": "2", "WANTED": "63", "TIMES": "[0, 999]"}


@pytest.mark.parametrize(
    ("changed", "code", "line"),
    [
        ({}, None, 0),
        ({"INDEX": "-1"}, "E206", 3),
        ({"INDEX": "65"}, "E402", 7),
        ({"WANTED": "-1"}, "E206", 8),
        ({"WANTED": "64"}, "E402", 9),
        ({"WANTED": "red circel"}, "E207", 8),
        ({"STEPS": "0"}, "E206", 4),
        ({"STEPS": "1001"}, "E402", 4),
        ({"TIMES": "[0, -1]"}, "E206", 12),
        ({"TIMES": "1000"}, "E402", 12),
    ],
)
def test_a_check_refuses(
    bundles: Path, tmp_path: Path, changed: dict[str, str], code: str | None, line: int
) -> None:
    """By the literal alone when types are checked; by what a model knows when shapes are."""
    text = LABELLED.replace("FOLDER", str(bundles))
    for name, value in (GOOD | changed).items():
        text = text.replace(name, value)
    (tmp_path / "g.yaml").write_text(text)
    graph = nodegraph.load(tmp_path / "g.yaml", cached=False, readable=(bundles,))
    found = [(fault.code, fault.span.line) for fault in graph.check() if fault.span is not None]
    assert found == ([] if code is None else [(code, line)])


def test_layers_that_a_clip_has_not(bundles: Path, tmp_path: Path) -> None:
    text = (
        "graph: 1\nnodes:\n"
        f"  network: {{type: unet_denoiser, model: {bundles}/adm/unconditional}}\n"
        "  scene: {type: shapes_scene, caption: a red circle, size: 16}\n"
        f"  guided: {{type: style_guidance, denoiser: $network, clip: {bundles}/glide/clip, image: $scene, layers: LAYERS}}\n"
        "outputs: {guided: $guided}\n"
    )
    for layers, expected in (("[1, 2]", []), ("[0, -1]", ["E206", "E206"]), ("[1, 3]", ["E402"])):
        (tmp_path / "g.yaml").write_text(text.replace("LAYERS", layers))
        graph = nodegraph.load(tmp_path / "g.yaml", cached=False, readable=(bundles,))
        assert [fault.code for fault in graph.check()] == expected
