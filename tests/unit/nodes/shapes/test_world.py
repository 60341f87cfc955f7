"""The shapes world: scenes, captions, pictures, and the oracle that reads them back."""

import io

import numpy as np
import pytest
from PIL import Image

from nodes.shapes.batches import batch
from nodes.shapes.captions import NotACaption, caption, parse_caption
from nodes.shapes.cases import held_out_scenes
from nodes.shapes.oracle import judge, read_picture
from nodes.shapes.render import render
from nodes.shapes.world import CANVAS, GAP, RADII, Scene, held_out, sample_scene

COUNT = 200
FEWER = 100


def scenes(seed: int, count: int = COUNT) -> list[Scene]:
    rng = np.random.default_rng(seed)
    return [sample_scene(rng) for _ in range(count)]


def test_things_neither_meet_nor_leave_the_canvas() -> None:
    for scene in scenes(0):
        for number, thing in enumerate(scene.things):
            assert RADII[thing.size][0] <= thing.radius <= RADII[thing.size][1]
            assert min(thing.x, thing.y, CANVAS - thing.x, CANVAS - thing.y) >= thing.radius + 0.5
            for other in scene.things[:number]:
                apart = max(abs(thing.x - other.x), abs(thing.y - other.y))
                assert apart >= thing.radius + other.radius + min(GAP, 1.5)


def test_captions_say_what_the_scene_holds() -> None:
    rng = np.random.default_rng(1)
    for scene in scenes(1):
        said = parse_caption(caption(scene, rng).upper() + " .")
        assert [(t.colour, t.shape) for t in said.things] == [
            (t.colour, t.shape) for t in scene.things
        ]
        assert all(w.size in (None, t.size) for w, t in zip(said.things, scene.things, strict=True))
        assert said.position in (None, scene.position)
        assert said.relation in (None, scene.relation)
        assert said.background in (None, scene.background)


@pytest.mark.parametrize(
    "text", ["a photo of a cat", "", "a red", "red circle", "a red circle above", "a grue circle"]
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(NotACaption, match="is not a caption"):
        parse_caption(text)


def test_held_out_scenes_never_appear_in_training() -> None:
    assert not any(held_out(scene) for scene in scenes(2))
    rng = np.random.default_rng(3)
    assert all(held_out(sample_scene(rng, "held_out", (0.5, 0.5, 0))) for _ in range(50))
    assert all(held_out(scene) for scene in held_out_scenes(20, 2, seed=0))
    with pytest.raises(ValueError, match="never held out"):
        held_out_scenes(1, 3, seed=0)


def test_the_same_seed_gives_the_same_batch() -> None:
    first, again = (batch(np.random.default_rng(5), 8, 32) for _ in range(2))
    assert (first[0] == again[0]).all()
    assert first[1] == again[1]
    assert (batch(np.random.default_rng(6), 8, 32)[0] != first[0]).any()


def share_read(size: int, change=lambda picture: picture) -> float:
    rng = np.random.default_rng(7)
    # Pictures above 64 px are read at 64: fewer of them say as much.
    drawn = scenes(8, COUNT if size <= 64 else FEWER)
    right = [judge(caption(scene, rng), change(render(scene, size))).correct for scene in drawn]
    return sum(right) / len(right)


def compressed(picture: np.ndarray) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=90)
    return np.asarray(Image.open(buffer))


def noisy(picture: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(9).integers(-4, 5, picture.shape)
    return np.clip(picture.astype(int) + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("size", [32, 64, 128, 256])
def test_the_oracle_reads_what_was_drawn(size: int) -> None:
    assert share_read(size) >= 0.99


@pytest.mark.parametrize("change", [compressed, noisy])
@pytest.mark.parametrize("size", [32, 64, 128, 256])
def test_the_oracle_reads_through_compression_and_noise(change, size: int) -> None:
    assert share_read(size, change) >= 0.99


def test_the_oracle_tells_places_and_sizes() -> None:
    for scene in scenes(10, 60):
        found = read_picture(render(scene, 64))
        assert found.background == scene.background
        for thing in scene.things:
            nearest = min(
                found.things, key=lambda seen: abs(seen.x - thing.x) + abs(seen.y - thing.y)
            )
            assert abs(nearest.x - thing.x) + abs(nearest.y - thing.y) < 1.0
            assert abs(nearest.radius - thing.radius) < 0.5


def test_the_oracle_finds_what_is_wrong() -> None:
    scene = next(s for s in scenes(11) if len(s.things) == 1 and s.things[0].colour == "red")
    picture = render(scene, 64)
    shape = scene.things[0].shape
    assert judge(f"a red {shape}", picture).correct
    other = judge(f"a blue {shape}", picture)
    assert (other.colour, other.shape, other.correct) == (False, True, False)
    assert not judge(f"a red {shape} and a red {shape}", picture).count
    empty = np.full((32, 32, 3), 250, np.uint8)
    assert not judge("a red circle", empty).colour_and_shape


@pytest.mark.filterwarnings("error")
def test_a_picture_of_one_colour_holds_no_shape() -> None:
    picture = np.full((32, 32, 3), (220, 30, 30), np.uint8)
    assert [thing.shape for thing in read_picture(picture).things] == [""]
    assert not judge("a red circle", picture).shape


def test_scenes_that_are_alike_differ_in_their_shapes_alone() -> None:
    pictures, captions = batch(np.random.default_rng(7), 24, 32, whole=1.0, alike=4)
    kinds = [[(t.colour, t.shape) for t in parse_caption(c).things] for c in captions]
    for start in range(0, 24, 4):
        group = kinds[start : start + 4]
        assert len({tuple(colour for colour, _ in things) for things in group}) == 1
        assert len({tuple(shape for _, shape in things) for things in group}) > 1
        corners = pictures[start : start + 4, 0, 0]
        assert (corners == corners[0]).all()
    again, _ = batch(np.random.default_rng(7), 24, 32, whole=1.0)
    assert not (again == pictures).all()
