"""Texts as people type them, read as captions; what cannot be one says why, and what is unknown is left for others."""

import numpy as np
import pytest

from nodes.shapes.captions import caption, parse_caption
from nodes.shapes.wording import NoScene, caption_of
from nodes.shapes.world import COLOURS, sample_scene


def test_captions_stay_as_they_are() -> None:
    rng = np.random.default_rng(0)
    for _ in range(2000):
        text = caption(sample_scene(rng), rng)
        assert caption_of(text) == text


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("", ""),
        ("red circle", "a red circle"),
        ("Red Circle.", "a red circle"),
        ("circle red", "a red circle"),
        ("a star", "a star"),
        ("two blue stars", "a blue star and a blue star"),
        ("red circles", "a red circle and a red circle"),
        ("2 green crosses side by side", "a green cross and a green cross"),
        ("three red hearts", "a red heart, a red heart and a red heart in a row"),
        (
            "a pair of pink diamonds on white",
            "a pink diamond and a pink diamond on a white background",
        ),
        ("red and blue circles", "a red circle and a blue circle"),
        ("a red circle and square", "a red circle and a red square"),
        ("red circle left of blue square", "a red circle to the left of a blue square"),
        (
            "an orange disc underneath a tiny violet rhombus",
            "an orange circle below a small purple diamond",
        ),
        ("a red circle, a blue square", "a red circle and a blue square"),
        ("a red plus", "a red cross"),
        ("a big gold doughnut in the middle", "a large yellow ring in the center"),
        (
            "blue star at the top against a black background",
            "a blue star at the top on a black background",
        ),
        ("background grey, red heart", "a red heart on a gray background"),
        ("please draw an orange star-shaped thing", "an orange star"),
        ("rhombus, green", "a green diamond"),
        (
            "cross centered, red, on a white backdrop",
            "a red cross in the center on a white background",
        ),
        ("red heart with a blue heart underneath", "a red heart above a blue heart"),
        (
            "A purple cross, and to the right of it a green circle",
            "a purple cross to the left of a green circle",
        ),
        ("red square at the top and a blue ring at the bottom", "a red square above a blue ring"),
        ("heart on the left, star on the right", "a heart to the left of a star"),
        ("pink circel to the right of green squre", "a pink circle to the right of a green square"),
        (
            "red, yellow and green circles next to each other",
            "a red circle, a yellow circle and a green circle in a row",
        ),
    ],
)
def test_texts_are_read_as_captions(text: str, read: str) -> None:
    assert caption_of(text) == read
    assert caption_of(read) == read
    if any(colour in read for colour in COLOURS):
        parse_caption(read)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a red circle on a green background", "there is no green background, but white, black"),
        ("four red stars", "at most 3 things"),
        ("a red circle, a blue star, a pink ring and a green cross", "at most 3 things"),
        ("a black circle", "nothing is black but the background"),
        ("a red circle in the top left corner", "a thing stands in the center, on the left"),
        ("two red circles on the left", "one thing alone is put somewhere"),
        (
            "two red circles above a blue square",
            "of two things alone it is said where they stand, and once",
        ),
        ("red on blue", "it names no shape: circle, square"),
    ],
)
def test_what_is_no_scene_says_why(text: str, why: str) -> None:
    with pytest.raises(NoScene, match=why):
        caption_of(text)


@pytest.mark.parametrize(
    "text", ["a red cat", "blue star, yellow moon", "a red circle ❤", "red_circle"]
)
def test_texts_with_unknown_words_stay_for_others_to_tell(text: str) -> None:
    assert caption_of(text) == text
