"""The script that makes a data set of emoji, on packages of two emoji that are written here."""

import json
from pathlib import Path

import pytest
from PIL import Image

from emoji import dataset
from nodes.training.folder_listing import listed

WAVE, CAR = "1F44B", "1F697"
TONED = [f"{WAVE}-{tone}" for tone in dataset.TONES]


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    """npm's folder: a hand in all tones, a car, and an emoji without a picture."""
    source = tmp_path / "node_modules" / "emoji-datasource-google"
    words = tmp_path / "node_modules" / "emojilib" / "dist"
    pictures = source / "img" / "google" / "64"
    for folder in (pictures, words):
        folder.mkdir(parents=True)
    toned = {t.split("-")[1]: {"unified": t, "image": f"{t.lower()}.png"} for t in TONED}
    rest = {"non_qualified": None}
    entries = [
        {"unified": WAVE, "image": "wave.png", "name": "WAVE", "skin_variations": toned, **rest},
        {"unified": CAR, "image": "car.png", "name": "AUTOMOBILE", **rest},
        {"unified": "1F4A9", "image": "none.png", "name": "NONE", **rest},
    ]
    (source / "emoji.json").write_text(json.dumps(entries), "utf-8")
    known = {chr(0x1F44B): ["waving_hand", "hands", ":)", "hello", "waving_hand"]}
    (words / "emoji-en-US.json").write_text(json.dumps(known), "utf-8")
    for name in ("wave", "car", *(t.lower() for t in TONED)):
        Image.new("RGBA", (64, 64), (255, 0, 0, 0)).save(pictures / f"{name}.png")
    return tmp_path / "node_modules"


def test_names_keywords_and_tones(modules: Path) -> None:
    found = {emoji.unified: emoji for emoji in dataset.emojis(modules)}
    tones = found.keys() & set(TONED)
    assert found.keys() == {WAVE, CAR, *tones}
    assert len(tones) == dataset.TONES_KEPT
    assert found[WAVE].keywords == ("hands", "hello")
    assert found[CAR].name == "automobile"
    for tone in tones:
        said = dataset.TONES[tone.split("-")[1]]
        assert found[tone].name == f"waving hand, {said} skin tone"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1F44B", "1F44B-1F3FD", True),
        ("1F3C3", "1F3C3-1F3FB-200D-2642-FE0F", True),
        ("1F469-200D-1F9B0", "1F468-1F3FF-200D-1F9B0", True),
        ("1F469-200D-1F9B0", "1F469-200D-1F9B1", False),
        ("2764-FE0F", "2764", True),
    ],
)
def test_tones_and_genders_are_of_one_family(one: str, other: str, same: bool) -> None:
    assert (dataset.family(one) == dataset.family(other)) is same


def test_a_twentieth_is_held_out() -> None:
    share = sum(dataset.held_out(f"{0x1F300 + i:X}") for i in range(2000)) / 2000
    assert 0.03 < share < 0.07


def test_copies_are_a_folder_of_captioned_pictures(modules: Path, tmp_path: Path) -> None:
    hand = next(dataset.emojis(modules))
    assert dataset.write(hand, tmp_path / "data") == 4
    part = "held_out" if dataset.held_out(WAVE) else "train"
    captions = [picture.caption for picture in listed(tmp_path / "data" / part)]
    assert captions[0] == "waving hand"
    for picture, caption in zip(listed(tmp_path / "data" / part), captions, strict=True):
        name = next((b for b in dataset.BACKGROUNDS if f"{b} background" in caption), "white")
        with Image.open(picture.file) as image:
            assert image.getpixel((0, 0)) == dataset.BACKGROUNDS[name]
    assert len(set(captions)) == 4
