"""unCLIP's graphs on the shipped models do what they say: the oracle reads the small pictures, or the large ones at 32 px."""

from pathlib import Path

import pytest
from torch import Tensor

from nodegraph import load
from nodes.library.evaluation.accuracy import shapes_oracle
from nodes.library.evaluation.agreement import shapes_agreement

FEW = {"decoder_steps": "25", "upsample_steps": "3"}


def ran(graph: str, folder: Path, **inputs: object):
    return load(graph, cached=False, out=folder)(**FEW, **inputs)


def shown(pictures: Tensor, caption: str, part: str = "colour_and_shape") -> int:
    """How many of the pictures are as the caption says."""
    return sum(shapes_oracle(pictures, [caption]).column(part))


@pytest.mark.parametrize("graph", ["text_to_image", "text_to_image_autoregressive"])
def test_what_is_told_is_drawn(graph: str, tmp_path: Path) -> None:
    drawn = ran(f"unclip/{graph}", tmp_path, count=6).small
    assert shown(drawn, "a red circle above a blue square") >= 5


def test_the_decoder_reads_embedding_and_text(tmp_path: Path) -> None:
    ways = load("unclip/decode_embedding", cached=False, out=tmp_path)(
        prompt="a red circle", decoder_steps="25"
    )
    assert shown(ways.text_alone, "a red circle") >= 3
    assert shown(ways.prior, "a red circle") >= 3
    assert shown(ways.prior_and_text, "a red circle") >= 3


def test_the_kept_pictures_are_right(tmp_path: Path) -> None:
    kept = ran("unclip/rerank", tmp_path, count=8, keep=2).image
    assert kept.shape == (2, 3, 256, 256)
    assert shown(kept, "a red circle above a blue square") == 2


def test_variations_keep_the_object_and_move_it(reference: Tensor, tmp_path: Path) -> None:
    varied = ran("variations/variations", tmp_path, image=reference, count=6).small
    assert sum(shapes_agreement(varied, reference).column("content")) >= 5
    apart = (varied[1:] - varied[:-1]).abs().mean(dim=(1, 2, 3))
    assert float(apart.min()) > 0.02


@pytest.mark.parametrize("graph", ["interpolate_images", "interpolate_texts"])
def test_a_path_begins_and_ends_as_told(graph: str, tmp_path: Path) -> None:
    path = ran(f"variations/{graph}", tmp_path).small
    assert shown(path[:1], "a red circle") == 1
    assert shown(path[-1:], "a blue star") == 1


def test_a_difference_of_texts_turns_the_colour_and_keeps_the_shape(tmp_path: Path) -> None:
    turned = ran("variations/text_difference", tmp_path, theta=[0, 0.35, 0.4, 0.5]).small
    assert shown(turned[:1], "a red circle") == 1
    assert shown(turned[1:], "a blue circle") >= 2


def test_an_edit_ends_with_what_the_text_says(tmp_path: Path) -> None:
    edited = ran("variations/inversion_edit", tmp_path).small
    assert shown(edited[:1], "a red circle") == 1
    assert shown(edited[-1:], "a green heart") == 1


def test_all_components_hold_the_object_and_none_do_not(tmp_path: Path) -> None:
    given = {"scene": "a large red circle in the center on a white background"}
    probed = ran("variations/pca_probe", tmp_path, components=[0, 32, 64], **given).small
    assert shown(probed[:1], "a red circle") == 0
    assert shown(probed[1:], "a red circle") == 2
