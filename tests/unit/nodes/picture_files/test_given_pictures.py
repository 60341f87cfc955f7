"""Pictures and masks that Python gives: paths, PIL.Image, arrays and tensors, each as what it is; and what is said of them."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import nodegraph
from nodegraph.base.diagnostics import GraphError
from nodegraph.runtime.events import Completed, Warned
from nodegraph.runtime.provenance import CHUNK, provenance
from nodegraph.runtime.recorded import read_picture
from nodegraph.session import Job

ONE = """graph: 1
inputs: {image: {type: Image}}
nodes: {shown: {type: load_image, file: $image}}
outputs: {image: $shown}
"""
MASK = """graph: 1
inputs: {mask: {type: Mask}}
nodes: {turned: {type: invert_mask, mask: $mask}}
outputs: {mask: $turned}
"""
MANY = """graph: 1
inputs: {images: {type: "list[Image]"}}
nodes: {sheet: {type: grid, images: $images, gap: 0, columns: 8}}
outputs: {image: $sheet}
"""
STRAIGHT = """graph: 1
inputs: {image: {type: Image}}
nodes: {sized: {type: resize, image: $image, size: 4}}
outputs: {image: $image, sized: $sized}
"""


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    """A folder for graphs, and another for pictures, which the graphs may not read of themselves."""
    graphs, pictures = tmp_path / "graphs", tmp_path / "pictures"
    graphs.mkdir()
    pictures.mkdir()
    for name, text in (("one", ONE), ("mask", MASK), ("many", MANY), ("straight", STRAIGHT)):
        (graphs / f"{name}.yaml").write_text(text, encoding="utf-8")
    return graphs, pictures


LEVELS = np.random.default_rng(0).integers(0, 256, (6, 4, 3), dtype=np.uint8)
WANTED = torch.from_numpy(LEVELS).permute(2, 0, 1)[None].float().div(127.5).sub(1)


def shown(graphs: Path, value: object) -> torch.Tensor:
    return nodegraph.load(graphs / "one.yaml", cached=False)(image=value).image


def test_a_picture_in_any_form_is_the_same(places: tuple[Path, Path]) -> None:
    graphs, pictures = places
    path = pictures / "a.png"
    Image.fromarray(LEVELS).save(path)
    forms = (
        path,
        str(path),
        Image.fromarray(LEVELS),
        Image.open(path),
        LEVELS,
        np.asfortranarray(LEVELS),
        LEVELS[::-1][::-1],
        WANTED,
    )
    for form in forms:
        assert torch.equal(shown(graphs, form), WANTED), type(form)
    for kind in ("<f4", ">f4", "f8"):
        found = shown(graphs, (LEVELS / 255).astype(kind))
        assert torch.allclose(found, WANTED, atol=1e-6)
        assert found.dtype == torch.float32
    edge = (LEVELS / 255).astype(np.float32) * np.float32(1 + 1e-7)
    assert float(shown(graphs, edge).max()) <= 1
    grey = LEVELS[..., 0]
    for form in (grey, Image.fromarray(grey)):
        assert torch.equal(shown(graphs, form), WANTED[:, :1].expand(-1, 3, -1, -1))


def test_a_relative_path_is_the_callers(
    places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    graphs, pictures = places
    Image.fromarray(LEVELS).save(pictures / "a.png")
    monkeypatch.chdir(pictures)
    for form in (Path("a.png"), "a.png"):
        assert torch.equal(shown(graphs, form), WANTED)


def test_what_one_call_may_read_the_next_may_not(places: tuple[Path, Path]) -> None:
    graphs, pictures = places
    for name in ("a.png", "b.png"):
        Image.fromarray(LEVELS).save(pictures / name)
    default = f"{{type: Image, default: {pictures / 'b.png'}}}"
    text = ONE.replace("{type: Image}", default)
    (graphs / "own.yaml").write_text(text, encoding="utf-8")
    graph = nodegraph.load(graphs / "own.yaml", cached=False)
    assert torch.equal(graph(image=pictures / "a.png").image, WANTED)
    with pytest.raises(GraphError, match="lies outside"):
        graph()
    assert torch.equal(graph(image=str(pictures / "b.png")).image, WANTED)


def test_lists_take_every_form_at_once(places: tuple[Path, Path]) -> None:
    graphs, pictures = places
    path = pictures / "a.png"
    Image.fromarray(LEVELS).save(path)
    graph = nodegraph.load(graphs / "many.yaml", cached=False)
    forms = [path, str(path), Image.fromarray(LEVELS), LEVELS, WANTED]
    for given in (forms, tuple(forms)):
        assert torch.equal(graph(images=given).image, torch.cat([WANTED] * 5, -1))
    assert torch.equal(graph(images=LEVELS).image, WANTED)
    with pytest.raises(GraphError, match="int64"):
        graph(images=[LEVELS, LEVELS.astype(np.int64)])


def test_masks_in_any_form(places: tuple[Path, Path]) -> None:
    graphs, pictures = places
    known = np.array([[True, False], [False, True]])
    Image.fromarray(known).save(pictures / "m.png")
    graph = nodegraph.load(graphs / "mask.yaml", cached=False)
    wanted = 1 - torch.from_numpy(known).float()[None, None]
    levels = known * np.uint8(255)
    forms = (
        pictures / "m.png",
        known,
        levels,
        known.astype(np.float64),
        Image.fromarray(levels),
        Image.fromarray(known),
        Image.fromarray(known.astype(np.uint16) * 65535),
        1 - wanted,
    )
    for form in forms:
        assert torch.equal(graph(mask=form).mask, wanted), type(form)
    half = graph(mask=np.full((2, 2), 0.25)).mask
    assert torch.equal(half, torch.full((1, 1, 2, 2), 0.75))


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (LEVELS.astype(np.uint16), "uint16 does not say what is white"),
        (LEVELS.astype(np.int32), "int32"),
        (LEVELS / 127.5 - 1, "not in|goes from 0"),
        (LEVELS.astype(float), "goes from 0"),
        (np.full((2, 2, 3), np.nan), "NaN"),
        (LEVELS[..., :2], "is no picture"),
        (np.dstack([LEVELS, LEVELS[..., :1]]), r"\[6, 4, 4\] is no picture"),
        (LEVELS[None], "is no picture"),
        (np.zeros((0, 4, 3), np.uint8), "no pixels"),
        (np.zeros((2, 2), bool), "is no picture"),
        (np.array("text"), "is no picture|white"),
        (Image.new("I", (2, 2), 70000), "32 bits"),
        (Image.new("F", (2, 2), 3.0), "goes from 0"),
        (Image.new("RGB", (0, 0)), "no pixels"),
        ({"a": 1}, "dict"),
        (b"bytes", "bytes"),
        (object(), "object"),
    ],
)
def test_what_is_no_picture_is_refused_with_the_reason(
    places: tuple[Path, Path], value: object, says: str
) -> None:
    with pytest.raises(GraphError, match=says) as told:
        shown(places[0], value)
    fault = told.value.diagnostics[0]
    assert fault.code == "E208" and fault.span is not None and "input 'image'" in fault.message


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        (
            "image",
            torch.zeros(1, 4, 4, 4),
            r"float32\[1, 4, 4, 4\]",
        ),
        ("image", torch.zeros(3, 4, 4), r"float32\[3, 4, 4\]"),
        ("image", torch.zeros(1, 3, 4, 4, dtype=torch.float64), r"float64\[1, 3, 4, 4\]"),
        ("mask", torch.full((1, 1, 4, 4), 2.0), r"in \[0, 1\].* in \[2, 2\]"),
        ("mask", torch.zeros(1, 3, 4, 4), r"float32\[1, 3, 4, 4\]"),
    ],
)
def test_tensors_that_are_no_picture_or_mask_are_refused(
    places: tuple[Path, Path], name: str, value: torch.Tensor, says: str
) -> None:
    file = {"image": "one.yaml", "mask": "mask.yaml"}[name]
    with pytest.raises(GraphError, match=says) as told:
        nodegraph.load(places[0] / file, cached=False)(**{name: value})
    assert told.value.diagnostics[0].code == "E208"


def test_a_picture_that_turns_out_to_be_cut_is_refused(places: tuple[Path, Path]) -> None:
    graphs, pictures = places
    Image.fromarray(np.tile(LEVELS, (9, 9, 1))).save(pictures / "a.jpg")
    whole = (pictures / "a.jpg").read_bytes()
    (pictures / "a.jpg").write_bytes(whole[: len(whole) // 2 + 300])
    with (
        Image.open(pictures / "a.jpg") as picture,
        pytest.raises(GraphError, match=r"this PIL.Image cannot be read"),
    ):
        shown(graphs, picture)
    with pytest.raises(GraphError, match="E403"):
        shown(graphs, pictures / "a.jpg")


def test_a_picture_from_pillow_is_upright_and_in_srgb(places: tuple[Path, Path]) -> None:
    graphs, pictures = places
    exif = Image.Exif()
    exif[274] = 6
    stored = Image.fromarray(np.ascontiguousarray(np.rot90(LEVELS)))
    stored.save(pictures / "a.png", exif=exif)
    for form in (pictures / "a.png", Image.open(pictures / "a.png")):
        assert torch.equal(shown(graphs, form), WANTED)


def test_keys_of_given_pictures_hold_shape_and_content(places: tuple[Path, Path]) -> None:
    graph = nodegraph.load(places[0] / "one.yaml")
    values = (LEVELS, LEVELS.reshape(4, 6, 3), LEVELS.reshape(3, 8, 3), 255 - LEVELS)
    for value in (*values, *values):
        assert tuple(graph(image=value).image.shape[-2:]) == value.shape[:2]
        assert float(graph(image=value).image[0, 0, 0, 0]) == pytest.approx(
            value[0, 0, 0] / 127.5 - 1
        )


def test_the_caller_cannot_change_what_it_gave(places: tuple[Path, Path]) -> None:
    graph = nodegraph.load(places[0] / "one.yaml")
    mine = LEVELS.copy()
    graph(image=mine)
    mine[:] = 0
    assert float(graph(image=mine).image.max()) == -1
    assert torch.equal(graph(image=LEVELS).image, WANTED)


def animated(path: Path) -> Path:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    return path


def test_what_is_to_be_said_of_a_file_has_its_place(places: tuple[Path, Path]) -> None:
    graphs, _ = places
    animated(graphs / "a.gif")
    text = ONE.replace("inputs: {image: {type: Image}}\n", "").replace("$image", "a.gif")
    (graphs / "own.yaml").write_text(text, encoding="utf-8")
    graph = nodegraph.load(graphs / "own.yaml", cached=False)
    (told,) = graph.check()
    assert (told.code, told.severity) == ("W401", "warning")
    assert "'a.gif': it holds several pictures" in told.message
    assert told.span is not None and told.span.line == 2 and told.span.column > 20
    warned = [event for event in graph.events() if isinstance(event, Warned)]
    assert [event.diagnostic for event in warned] == [told]


def test_a_picture_that_goes_straight_through_is_read_and_checked(
    places: tuple[Path, Path],
) -> None:
    graphs, pictures = places
    text = STRAIGHT.replace(
        "nodes: {sized: {type: resize, image: $image, size: 4}}\n", "nodes: {}\n"
    )
    (graphs / "only.yaml").write_text(text.replace(", sized: $sized", ""), encoding="utf-8")
    (pictures / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    for name in ("straight", "only"):
        graph = nodegraph.load(graphs / f"{name}.yaml", cached=False)
        events = list(graph.events(image=animated(pictures / "a.gif")))
        said = [event.diagnostic.message for event in events if isinstance(event, Warned)]
        assert any(message.startswith("output 'image'") for message in said)
        assert isinstance(events[-1], Completed)
        assert torch.equal(graph(image=LEVELS).image, WANTED)
        with pytest.raises(
            GraphError, match=r"^E403[^\n]*input 'image': 'cut.png' cannot be read[^\n]*$"
        ):
            graph(image=pictures / "cut.png")


def test_a_larger_picture_needs_to_be_allowed(places: tuple[Path, Path]) -> None:
    graphs, pictures = places
    Image.new("RGB", (40, 50)).save(pictures / "a.png")
    small = nodegraph.load(graphs / "one.yaml", cached=False, max_megapixels=1999e-6)
    with pytest.raises(GraphError, match="40 × 50 pixels"):
        small(image=pictures / "a.png")
    exact = nodegraph.load(graphs / "one.yaml", cached=False, max_megapixels=2000e-6)
    assert exact(image=pictures / "a.png").image.shape == (1, 3, 50, 40)
    for wrong in (0, -1, float("nan"), "64", None, True):
        with pytest.raises(ValueError, match="max_megapixels is a number above 0"):
            nodegraph.load(graphs / "one.yaml", max_megapixels=wrong)


def test_provenance_keeps_texts_and_shortens_paths(places: tuple[Path, Path]) -> None:
    graphs, pictures = places
    text = """graph: 1
inputs: {image: {type: Image}, others: {type: "list[Image]"}, prompt: {type: Text}}
nodes: {shown: {type: grid, images: [$image]}, more: {type: grid, images: $others}, words: {type: text_encoder, model: shapes/glide/base, text: $prompt}}
outputs: {image: $shown, more: $more, words: $words}
"""
    (graphs / "g.yaml").write_text(text, encoding="utf-8")
    Image.fromarray(LEVELS).save(pictures / "a.png")
    graph = nodegraph.load(graphs / "g.yaml", cached=False)
    path = str(pictures / "a.png")
    given = {"image": path, "others": [path, path], "prompt": "/imagine/a red star"}
    program = graph.session.compiled(graph.opened, Job(given)).checked()
    assert program.named == (pictures / "a.png",) * 3
    record = json.loads(provenance(program, {}, "cpu", "float32")[CHUNK])
    assert record["inputs"] == {
        "image": "a.png",
        "others": ["a.png", "a.png"],
        "prompt": "/imagine/a red star",
    }
    assert os.fspath(pictures) not in json.dumps(record)
    given |= {"image": LEVELS, "others": [LEVELS, path]}
    program = graph.session.compiled(graph.opened, Job(given)).checked()
    record = json.loads(provenance(program, {}, "cpu", "float32")[CHUNK])
    assert record["inputs"] == {"prompt": "/imagine/a red star"}


def test_what_a_picture_recorded_allows_nothing(places: tuple[Path, Path]) -> None:
    graphs, pictures = places
    Image.fromarray(LEVELS).save(pictures / "secret.png")
    from PIL.PngImagePlugin import PngInfo

    record = {
        "graph": "one.yaml",
        "sources": {"one.yaml": ONE},
        "inputs": {"image": str(pictures / "secret.png")},
    }
    chunks = PngInfo()
    chunks.add_itxt(CHUNK, json.dumps(record), zip=True)
    Image.fromarray(LEVELS).save(graphs / "p.png", pnginfo=chunks)
    recorded = read_picture(graphs / "p.png")
    from nodegraph.language.compile import compile_graph
    from nodegraph.language.inputs import Request
    from nodegraph.options import Options
    from nodegraph.runtime.abstract import check_shapes
    from nodegraph.runtime.recorded import Recorded
    from nodegraph.session import Session, registry

    request = Request(recorded=recorded.inputs)
    program = compile_graph(recorded.source, registry(), request).checked()
    assert program.named == ()
    engine = Session().engine(Recorded(recorded.source), Options(cached=False))
    assert "lies outside" in check_shapes(program, engine).errors[0].message
