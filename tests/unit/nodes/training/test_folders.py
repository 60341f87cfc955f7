"""Pictures of one's own: the ways that folders are kept, what cannot be read, and what is told of them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from finishing import finished
from PIL import Image

from nodegraph.base.diagnostics import Mismatch
from nodes.library.training.datasets import crop_dataset, flip_dataset, shapes_dataset
from nodes.library.training.folders import (
    caption_words,
    dataset_pictures,
    embedded_dataset,
    folder_captions,
    folder_counts,
    folder_dataset,
    nearest_pictures,
    picture_embeddings,
)
from nodes.models.embeddings import Embedding
from nodes.training.dataset import Batch, Dataset, Flipped
from nodes.training.folder import FolderPictures
from nodes.training.folder_listing import listed
from nodes.training.frozen import image_embeddings

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NODEGRAPH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "pictures"
    place.mkdir()
    for name, colour in (("a", RED), ("b", GREEN), ("c", BLUE)):
        Image.new("RGB", (20, 16), colour).save(place / f"{name}.png")
    return place


def said(folder: Path) -> dict[str, str]:
    return {picture.file.name: picture.caption for picture in listed(folder)}


def pictures(folder: Path, size: int = 16) -> FolderPictures:
    return finished(folder_dataset(folder, size))


def test_captions_beside_the_pictures(folder: Path) -> None:
    (folder / "a.txt").write_text("a red field\n", encoding="utf-8")
    assert said(folder) == {"a.png": "a red field", "b.png": "", "c.png": ""}


@pytest.mark.parametrize("column", ["text", "caption", "prompt"])
def test_metadata_as_csv(folder: Path, column: str) -> None:
    """Pictures that it does not name are no part of the data; a comma in quotes is part of a caption."""
    lines = f'file_name,{column}\nc.png,"blue, all over"\na.png,red\n'
    (folder / "metadata.csv").write_text(lines, encoding="utf-8")
    assert said(folder) == {"a.png": "red", "c.png": "blue, all over"}


def test_metadata_as_jsonl_in_folders_below(folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "a.png").rename(folder / "deep" / "z.png")
    rows = [{"file_name": "deep/z.png", "text": "red", "id": 1}, {"file_name": "b.png", "id": 2}]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "metadata.jsonl").write_text(text, encoding="utf-8")
    assert said(folder) == {"b.png": "", "z.png": "red"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("metadata.csv", "file_name,one,two\na.png,x,y\n", "no column 'text' or 'caption'; there"),
        ("metadata.csv", "name,text\na.png,x\n", "a row without 'file_name'"),
        ("metadata.jsonl", '{"file_name": "a.png", "text": "x"}\n[3]\n', "line 2 of the metadata"),
        ("metadata.jsonl", '{"file_name": "../a.png", "text": "x"}\n', "outside of its folder"),
        ("metadata.jsonl", '{"file_name": "/a.png", "text": "x"}\n', "outside of its folder"),
        ("metadata.csv", "", "there is no picture"),
    ],
)
def test_metadata_that_says_nothing_is_refused(
    folder: Path, name: str, content: str, message: str
) -> None:
    (folder / name).write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        listed(folder)


def test_a_folder_for_each_class(tmp_path: Path, folder: Path) -> None:
    whole = tmp_path / "whole"
    for name, kind in (("a", "warm_red"), ("b", "cold"), ("c", "cold")):
        (whole / kind).mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.png").rename(whole / kind / f"{name}.png")
    (whole / "cold" / "c.txt").write_text("deep blue", encoding="utf-8")
    found = pictures(whole)
    assert found.classes == ("cold", "warm_red")
    batch = found.take(np.arange(3))
    assert batch.captions == ("cold", "deep blue", "warm red")
    assert batch.labels is not None
    assert batch.labels.tolist() == [0, 0, 1]
    assert dict(folder_counts(found).rows)["class cold"] == 2


def test_a_corrupt_picture_is_named_counted_and_left_out(folder: Path) -> None:
    whole = (folder / "b.png").read_bytes()
    (folder / "b.png").write_bytes(whole[: len(whole) // 2])
    with pytest.warns(UserWarning, match=r"1 picture is left out of 3: 'b\.png' cannot be read"):
        found = pictures(folder)
    assert len(found) == 2
    batch = found.batch(np.random.default_rng(0), 64)
    seen = {tuple(((p[:, 8, 8] + 1) * 127.5).round().int().tolist()) for p in batch.signal}
    assert seen == {RED, BLUE}
    counts = dict(folder_counts(found).rows)
    assert (counts["pictures"], counts["cannot be read"]) == (2, 1)
    assert counts["20 × 16 px"] == 2


def test_a_folder_without_a_whole_picture_is_refused(folder: Path) -> None:
    for file in folder.iterdir():
        file.write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"no picture in .* can be read: 'a\.png'"):
        pictures(folder)


def test_batches_come_from_the_seed_alone(folder: Path) -> None:
    """Also when the squares are read from the cache, and there nothing is decoded again."""
    first = pictures(folder)
    again = pictures(folder)
    assert again.squares is not None
    assert first.squares == again.squares
    batches = [found.batch(np.random.default_rng(7), 32).signal for found in (first, again)]
    assert torch.equal(*batches)
    other = first.batch(np.random.default_rng(8), 32).signal
    assert not torch.equal(batches[0], other)


def test_an_edited_picture_is_read_again(folder: Path) -> None:
    before = pictures(folder)
    Image.new("RGB", (16, 16), GREEN).save(folder / "a.png")
    after = pictures(folder)
    assert before.describe() != after.describe()
    assert after.take(np.array([0])).signal[0, :, 0, 0].tolist() == [-1.0, 1.0, -1.0]


@pytest.mark.parametrize("content", ["", "[]", '{"sizes": [[1]], "faults": []}', "{}"])
def test_damaged_notes_in_the_cache_are_made_anew(folder: Path, cache: Path, content: str) -> None:
    before = pictures(folder)
    (note,) = cache.glob("pictures/*.json")
    note.write_text(content, encoding="utf-8")
    assert pictures(folder).squares == before.squares
    assert note.read_text(encoding="utf-8") != content


class Sided:
    """Pictures whose left half is white, captioned by turns."""

    sample_shape = (3, 4, 4)

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        signal = torch.full((size, 3, 4, 4), -1.0)
        signal[..., :2] = 1
        says = ("a dot", "Left of it, a dot", "a leftover")
        return Batch(signal, tuple(says[i % 3] for i in range(size)))

    def describe(self) -> dict[str, str | int | float]:
        return {"kind": "sided"}


def mirrored(dataset: Dataset) -> list[bool]:
    batch = dataset.batch(np.random.default_rng(0), 60)
    return [bool(picture[0, 0, 0] < 0) for picture in batch.signal]


def test_what_says_left_or_right_is_not_mirrored() -> None:
    assert mirrored(Flipped(Sided(), 1.0)) == [True, False, True] * 20
    assert mirrored(flip_dataset(Sided(), 1.0, ["dot"])) == [False, False, True] * 20
    assert mirrored(flip_dataset(Sided(), 1.0, [])) == [True] * 60
    assert 10 < sum(mirrored(flip_dataset(Sided(), 0.5, []))) < 50
    assert flip_dataset(Sided(), 0.5).describe() != flip_dataset(Sided(), 0.4).describe()


def test_crops_of_larger_squares(folder: Path) -> None:
    batch = crop_dataset(pictures(folder, 24), 16).batch(np.random.default_rng(0), 4)
    assert batch.signal.shape == (4, 3, 16, 16)


def test_the_vocabulary_of_captions(folder: Path) -> None:
    for name, text in (("a", "Red, or RED"), ("b", "green"), ("c", "red and green")):
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    found = pictures(folder)
    assert caption_words(found, 1) == [",", "and", "green", "or", "red"]
    assert caption_words(found, 2) == ["green", "red"]
    assert caption_words(found, 1, at_most=1) == ["green"]
    with pytest.raises(Mismatch, match="only a folder's pictures"):
        caption_words(shapes_dataset())


def test_what_a_tokenizer_leaves_out(folder: Path) -> None:
    from test_starts import saved

    (folder / "a.txt").write_text("a red zebra", encoding="utf-8")
    (folder / "b.txt").write_text("red " * 30, encoding="utf-8")
    model = saved(folder.parent / "model")
    table = folder_captions(pictures(folder), model, [], 2)
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert [(row["tokens"], row["unknown"]) for row in rows] == [(24, ""), (3, "zebra")]
    assert rows[0]["cut"].split() == ["red"] * 6
    own = folder_captions(pictures(folder), model, ["a", "red", "zebra"], 2)
    assert own.column("unknown") == ["", ""]


def test_a_sheet_shows_what_is_drawn(folder: Path) -> None:
    (folder / "a.txt").write_text("red", encoding="utf-8")
    sheet = dataset_pictures(pictures(folder), 12, seed=3)
    for picture, caption in zip(sheet.images, sheet.captions, strict=True):
        assert (picture[:, 0, 0].tolist() == [1.0, -1.0, -1.0]) == (caption == "red")


class Colour:
    """A CLIP whose embedding of a picture is its mean colour; it counts how often it looks."""

    digest, looks, abstract, device = "colour", 0, False, "cpu"

    class config:  # noqa: N801
        space = "colours"

    def see(self, signal: torch.Tensor) -> Embedding:
        self.looks += 1
        return Embedding(signal.mean((2, 3)), "colours")


def test_embeddings_that_are_known_are_not_made_again(folder: Path) -> None:
    clip, found = Colour(), pictures(folder)
    known = finished(picture_embeddings(clip, found))
    assert known.values.tolist() == [[1, -1, -1], [-1, 1, -1], [-1, -1, 1]]
    batch = embedded_dataset(found, clip, known).batch(np.random.default_rng(0), 16)
    looks = clip.looks
    embedded = image_embeddings(clip, batch)
    assert clip.looks == looks
    assert torch.equal(embedded, batch.signal.mean((2, 3)))
    half = batch.take(slice(8, 16))
    assert torch.equal(image_embeddings(clip, half), half.signal.mean((2, 3)))
    other = Colour()
    other.digest = "another"
    assert torch.equal(image_embeddings(other, batch), embedded)
    assert other.looks == 1
    with pytest.raises(Mismatch, match="2 embeddings of 3 pictures"):
        embedded_dataset(found, clip, Embedding(known.values[:2], "colours"))


def test_the_nearest_picture_of_a_folder(folder: Path) -> None:
    (folder / "b.txt").write_text("green", encoding="utf-8")
    found = pictures(folder)
    asked = torch.stack([torch.full((3, 16, 16), -1.0), torch.full((3, 16, 16), -1.0)])
    asked[0, 1] = 0.5
    asked[1, 2] = 1
    near = finished(nearest_pictures(asked, found))
    assert near.images[:, :, 0, 0].tolist() == [[-1, 1, -1], [-1, -1, 1]]
    assert near.table.column("caption") == ["green", ""]
    assert near.table.column("difference") == [round((0.25 / 3) ** 0.5, 4), 0]
    with pytest.raises(Mismatch, match="beside"):
        finished(nearest_pictures(torch.zeros(1, 3, 8, 8), found))
