"""GLIDE's and guided diffusion's graphs on the shipped models do what they say: a few pictures and steps each, and the oracle reads them."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from torch import Tensor

from nodegraph import load
from nodes.library.evaluation.accuracy import shapes_oracle
from nodes.library.evaluation.agreement import pixel_difference, shapes_agreement
from nodes.library.evaluation.scenes import edit_cases, held_out_scenes

COUNT = 6
STEPS = "25"


@dataclass(frozen=True, slots=True)
class Case:
    """A graph, its inputs, and what at least `least` of its pictures must be: `part` of a caption or of a reference."""

    graph: str
    wanted: str
    part: str
    least: int
    inputs: dict[str, object] = field(default_factory=dict[str, object])


NOT_SQUARE: dict[str, object] = {"prompt": "a red circle", "negative": "a red square"}
TOLD = (
    Case("glide/text_to_image", "a red circle above a blue square", "colour", 5),
    Case("glide/clip_guided", "a red circle above a blue square", "colour", 3),
    Case("guidance/classifier", "a red circle", "colour_and_shape", 4),
    Case("guidance/classifier_ddim", "a red circle", "colour", 3, {"scale": 8.0}),
    Case("guidance/clip_text", "a red circle", "colour", 3),
    Case("guidance/classifier_free", "a red circle", "colour_and_shape", 5),
    Case("guidance/negative_prompt", "a red circle", "colour_and_shape", 4, NOT_SQUARE),
)
SHOWN = (
    Case("guidance/content", "", "background", 4),
    Case("guidance/structure", "", "structure", 5),
)


def ran(graph: str, folder: Path, **inputs: object):
    return load(graph, cached=False, out=folder)(**inputs)


@pytest.mark.parametrize("case", TOLD, ids=[case.graph for case in TOLD])
def test_what_is_told_is_drawn(case: Case, tmp_path: Path) -> None:
    pictures = ran(case.graph, tmp_path, count=COUNT, steps=STEPS, **case.inputs).image
    assert sum(shapes_oracle(pictures, [case.wanted]).column(case.part)) >= case.least


@pytest.mark.parametrize("case", SHOWN, ids=[case.graph for case in SHOWN])
def test_what_is_shown_is_drawn(case: Case, reference: Tensor, tmp_path: Path) -> None:
    inputs = {"image": reference, "count": COUNT, "steps": STEPS}
    pictures = ran(case.graph, tmp_path, **inputs).image
    assert sum(shapes_agreement(pictures, reference).column(case.part)) >= case.least


@pytest.mark.parametrize(("graph", "least"), [("inpaint", 4), ("inpaint_training_free", 2)])
def test_an_edited_region_obeys(graph: str, least: int, tmp_path: Path) -> None:
    cases = edit_cases(4, 32, 1)
    obeyed = 0
    for image, mask, caption in zip(cases.images, cases.masks, cases.captions, strict=True):
        given = {"image": image[None], "mask": mask[None], "prompt": caption, "steps": STEPS}
        found = ran(f"glide/{graph}", tmp_path, **given)
        known = pixel_difference(found.small, image[None], mask[None])
        assert max(known.column("largest")) < 1e-5
        obeyed += shapes_oracle(found.small, [caption]).column("colour_and_shape")[0]
    assert obeyed >= least


def test_a_picture_is_redrawn(reference: Tensor, tmp_path: Path) -> None:
    inputs = {"image": reference, "prompt": "a blue star", "steps": STEPS, "count": COUNT}
    much = ran("glide/sdedit", tmp_path, strength=0.9, **inputs)
    assert sum(shapes_oracle(much.small, ["a blue star"]).column("colour_and_shape")) >= 4
    little = ran("glide/sdedit", tmp_path, strength=0.2, **inputs)
    assert sum(shapes_agreement(little.small, reference).column("structure")) >= 4


def test_an_enlarged_picture_shows_the_same(tmp_path: Path) -> None:
    scenes = held_out_scenes(4, 2, 32, 0)
    large = ran("glide/upsample", tmp_path, image=scenes.images, text=scenes.captions[0]).image
    assert large.shape == (4, 3, 128, 128)
    agreement = shapes_agreement(large, scenes.images)
    for part in ("count", "content", "structure"):
        assert sum(agreement.column(part)) >= 3, part


def test_pictures_of_nothing_in_particular_hold_one_thing(tmp_path: Path) -> None:
    pictures = ran("ddpm/unconditional", tmp_path, count=8, steps="50").image
    anything = shapes_oracle(pictures, ["a red circle"])
    assert sum(anything.column("count")) >= 5


def test_a_film_strip_ends_with_the_class(tmp_path: Path) -> None:
    strip = ran("ddpm/film_strip", tmp_path, label="red circle", steps="50").strip
    last = strip[:, :, -32:, -32:]
    assert shapes_oracle(last, ["a red circle"]).column("colour_and_shape") == [1]


def test_style_comes_nearer(reference: Tensor, tmp_path: Path) -> None:
    """This CLIP's style holds little that the oracle reads, but the background."""
    given = {"image": reference, "count": 12, "steps": STEPS}
    guided, free = (
        ran("guidance/style", tmp_path, scale=scale, **given).image for scale in (100.0, 0.0)
    )
    alike = [sum(shapes_agreement(p, reference).column("background")) for p in (guided, free)]
    assert alike[0] >= alike[1] + 2


def test_text_and_picture_guide_together(reference: Tensor, tmp_path: Path) -> None:
    given = {"image": reference, "count": COUNT, "steps": STEPS, "text_scale": 8.0}
    pictures = ran("guidance/text_and_image", tmp_path, prompt="a blue square", **given).image
    assert sum(shapes_oracle(pictures, ["a blue square"]).column("colour")) >= 3
