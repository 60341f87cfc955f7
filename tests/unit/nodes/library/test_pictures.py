"""Picture and mask nodes: sizes, batches, soft masks, transparency, and pixels that come back exactly."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as PillowImage
from torch import Tensor

import nodegraph
from nodegraph import Mismatch
from nodegraph.runtime.provenance import CHUNK
from nodes import (
    compare,
    crop,
    grid,
    invert_mask,
    mask_from_image,
    mask_rectangle,
    paste,
    resize,
)
from nodes.wires.pictures import from_bytes


def pictures(rows: int, height: int = 16, width: int = 16, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(rows, 3, height, width, generator=generator) * 2 - 1


def test_resize_to_a_size_or_like_a_picture() -> None:
    assert resize(pictures(2), 24).shape == (2, 3, 24, 24)
    assert resize(pictures(2), [8, 24]).shape == (2, 3, 8, 24)
    assert resize(torch.ones(1, 1, 8, 8), like=pictures(1, 5, 7)).shape == (1, 1, 5, 7)
    assert torch.equal(resize(pictures(2), 16), pictures(2))
    flat = torch.full((1, 3, 31, 17), -0.25)
    torch.testing.assert_close(resize(flat, 64), torch.full((1, 3, 64, 64), -0.25))
    with pytest.raises(Mismatch, match="either a size or something like it"):
        resize(pictures(1))
    with pytest.raises(Mismatch, match="either a size or something like it"):
        resize(pictures(1), 8, pictures(1))
    with pytest.raises(Mismatch, match=r"\[1, 2, 3\] is no size"):
        resize(pictures(1), [1, 2, 3])
    with pytest.raises(Mismatch, match="neither pictures nor masks"):
        resize(torch.zeros(3, 8), 8)


def test_crop_and_paste_are_inverse() -> None:
    whole = pictures(3, 12, 20)
    window = crop(whole, 2, 5, 8, 10)
    assert torch.equal(window, whole[:, :, 2:10, 5:15])
    other = paste(-window, whole, top=2, left=5)
    assert torch.equal(other[:, :, 2:10, 5:15], -window)
    assert torch.equal(paste(window, other, top=2, left=5), whole)
    with pytest.raises(Mismatch, match="leave a picture of 12 × 20"):
        crop(whole, 5, 5, 8, 10)
    with pytest.raises(Mismatch, match="leave a picture of 12 × 20"):
        paste(window, whole, top=2, left=11)


@pytest.mark.parametrize(("rows", "known_rows", "mask_rows"), [(1, 1, 1), (6, 1, 1), (6, 3, 2)])
@pytest.mark.parametrize("mask_size", [16, 8, 64])
def test_known_pixels_come_back_exactly(
    rows: int, known_rows: int, mask_rows: int, mask_size: int
) -> None:
    made, onto = pictures(rows, seed=1) * 50, pictures(known_rows)
    mask = mask_rectangle(0.25, 0.25, 0.75, 0.5, size=mask_size).repeat(mask_rows, 1, 1, 1)
    result = paste(made, onto, mask)
    kept = onto.repeat_interleave(rows // known_rows, 0)
    outside = torch.ones(16, 16, dtype=torch.bool)
    outside[2:14, 2:10] = False
    inside = torch.zeros(16, 16, dtype=torch.bool)
    inside[6:10, 6:7] = True
    assert float((result - kept)[:, :, outside].abs().max()) == 0
    assert torch.equal(result[:, :, inside], made[:, :, inside])


def test_soft_masks_blend() -> None:
    zero, one = torch.zeros(1, 3, 4, 4), torch.ones(1, 3, 4, 4)
    mask = torch.linspace(0, 1, 4).expand(1, 1, 4, 4)
    torch.testing.assert_close(paste(zero, one, mask), mask.expand(1, 3, 4, 4))
    assert torch.equal(paste(zero, one), zero)


def test_what_cannot_be_pasted() -> None:
    with pytest.raises(Mismatch, match="8 × 8 pixels is no lid for one of 16 × 16") as found:
        paste(pictures(1, 8, 8), pictures(1))
    assert found.value.port == "image"
    with pytest.raises(Mismatch, match="pictures of 3 and 2 rows"):
        paste(pictures(3), pictures(2))


def test_grid_of_unequal_pictures() -> None:
    assert grid([pictures(10)]).shape == (1, 3, 3 * 18 - 2, 4 * 18 - 2)
    with pytest.raises(Mismatch, match="16 × 16 pixels and 8 × 8 pixels"):
        grid([pictures(1), pictures(1, 8, 8)])


def test_compare() -> None:
    first, second = pictures(2), pictures(2)
    second[1, 0, 3, 3] += 0.5
    found = compare(first, second)
    assert found.image.shape == (2, 3, 16, 48)
    assert torch.equal(found.image[..., :16], first)
    assert float(found.image[1, 0, 3, 32 + 3]) == pytest.approx(-0.5)
    same, other = found.table.rows
    assert same == (0, 0.0, 0.0, math.inf)
    assert other[1] == pytest.approx(0.5)
    assert other[2] == pytest.approx(0.5 / (3 * 256))
    assert other[3] == pytest.approx(10 * math.log10(4 / (0.25 / (3 * 256))))
    mask = torch.ones(1, 1, 16, 16)
    mask[..., 3, 3] = 0
    assert compare(first, second, mask).table.column("max_difference") == [0.0, 0.0]
    assert compare(first, second, torch.zeros(1, 1, 16, 16)).table.rows[1] == (1, 0, 0, math.inf)
    with pytest.raises(Mismatch, match="16 × 16 pixels and 8 × 8 pixels"):
        compare(first, pictures(2, 8, 8))


def test_rectangles_cover_parts_of_pixels() -> None:
    mask = mask_rectangle(0.25, 0, 0.75, 0.5, size=[4, 3])
    expected = torch.ones(4, 3)
    expected[1:3] = torch.tensor([0.0, 0.5, 1.0])
    assert torch.equal(mask[0, 0], expected)
    assert float(1 - mask_rectangle(0.1, 0.2, 0.7, 0.9, size=33).mean()) == pytest.approx(0.42)
    assert mask_rectangle(like=pictures(5, 6, 9)).shape == (1, 1, 6, 9)
    assert torch.equal(invert_mask(invert_mask(mask)), mask)
    with pytest.raises(Mismatch, match="are no rectangle"):
        mask_rectangle(0.5, 0, 0.5, 1, size=8)


def test_masks_from_brightness() -> None:
    levels = torch.tensor([-1.0, 0.0, 1.0]).expand(1, 3, 2, 3)
    torch.testing.assert_close(mask_from_image(levels)[0, 0, 0], torch.tensor([0.0, 0.5, 1.0]))
    assert mask_from_image(levels, 0.6)[0, 0, 0].tolist() == [0, 0, 1]
    green = torch.tensor([-1.0, 1.0, -1.0]).reshape(1, 3, 1, 1)
    assert float(mask_from_image(green)) == pytest.approx(0.587)


GRAPH = """graph: 1
nodes:
  photo:  {type: load_image, file: photo.png}
  mask:   {type: mask_from_alpha, file: photo.png}
  hole:   {type: invert_mask, mask: $mask}
  small:  {type: resize, image: $photo, size: 8}
  smaller: {type: resize, image: $mask, like: $small}
  black:  {type: mask_from_image, image: $small, threshold: 0.5}
  trained: {type: resize, image: $small, like: shapes/glide/upsample}
  back:   {type: resize, image: $small, like: $photo}
  result: {type: paste, image: $back, onto: $photo, mask: $mask}
  report: {type: compare, first: $result, second: $photo, mask: $mask}
  saved:  {type: save_image, image: $result, file: kept/result.png}
outputs: {image: $result, smaller: $smaller, table: $report.table, hole: $hole, black: $black, trained: $trained}
"""


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    levels = np.random.default_rng(0).integers(0, 256, (12, 16, 4), dtype=np.uint8)
    levels[..., 3] = 255
    levels[4:8, 4:10, 3] = 0
    PillowImage.fromarray(levels).save(tmp_path / "photo.png")
    return tmp_path


def test_a_graph_of_pictures(photo: Path) -> None:
    graph = photo / "edit.yaml"
    graph.write_text(GRAPH, encoding="utf-8")
    loaded = nodegraph.load(graph, cached=False, out=photo / "out")
    assert loaded.check() == ()
    found = loaded()
    assert found.smaller.shape == (1, 1, 8, 8)
    assert found.trained.shape == (1, 3, 128, 128)
    assert found.table.column("max_difference") == [0.0]
    assert float(found.hole.sum()) == 4 * 6
    with PillowImage.open(photo / "out" / "kept" / "result.png") as picture:
        record = json.loads(picture.info[CHUNK])
        written = from_bytes(np.asarray(picture)[None])
    assert record["sources"]["edit.yaml"] == graph.read_text(encoding="utf-8")
    assert float((written - found.image).abs().max()) < 1 / 255


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("threshold: 0.5", "threshold: 2", "2.0 is out of range"),
        ("like: $small}", "like: small.png}", "there is no file"),
        ("kept/result.png", "../result.png", "only below the output folder"),
        ("kept/result.png", "result.jpg", "must end with .png"),
        ("image: $small, like: $photo", "image: $small, size: 9", "is no lid for one of"),
        ("image: $small, like: $photo", "image: photo.png, size: 9", "takes its type from a wire"),
    ],
)
def test_faults_are_found_before_the_run(photo: Path, old: str, new: str, says: str) -> None:
    (photo / "edit.yaml").write_text(GRAPH.replace(old, new), encoding="utf-8")
    faults = nodegraph.load(photo / "edit.yaml", cached=False, out=photo / "out").check()
    assert says in " ".join(str(fault) for fault in faults)


def test_a_picture_without_transparency_is_no_mask(photo: Path) -> None:
    PillowImage.new("RGB", (4, 4)).save(photo / "photo.png")
    (photo / "edit.yaml").write_text(GRAPH, encoding="utf-8")
    faults = nodegraph.load(photo / "edit.yaml", cached=False).check()
    assert any("has no transparency" in str(fault) for fault in faults)


def test_several_pictures_are_numbered(tmp_path: Path) -> None:
    (tmp_path / "g.yaml").write_text(
        "graph: 1\ninputs: {image: {type: Image}}\n"
        "nodes: {saved: {type: save_image, image: $image, file: a.png}}\noutputs: {same: $image}\n",
        encoding="utf-8",
    )
    graph = nodegraph.load(tmp_path / "g.yaml", cached=False, out=tmp_path)
    graph(image=pictures(3))
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["a-0.png", "a-1.png", "a-2.png"]
