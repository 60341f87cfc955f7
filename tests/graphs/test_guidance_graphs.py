"""The graphs of guidance and editing: their presets check without weights, and they run on tiny models of the real classes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as PillowImage
from torch import Tensor

from nodegraph import load
from nodegraph.language.compile import compile_graph
from nodegraph.language.inputs import Request
from nodegraph.options import Options
from nodegraph.runtime.abstract import check_shapes
from nodegraph.runtime.recorded import Recorded
from nodegraph.session import Session, find_graph, registry
from nodes.diffusion.masks import resampled
from nodes.wires.pictures import from_bytes, to_bytes

pytestmark = pytest.mark.filterwarnings("ignore:.*W401")
"""The tiny networks know few words."""

ADM = ("ddpm/unconditional", "ddpm/film_strip", "guidance/classifier", "guidance/classifier_ddim")
CLIP = ("clip_text", "content", "structure", "style", "text_and_image")
GLIDE = (
    *(f"guidance/{name}" for name in (*CLIP, "classifier_free", "negative_prompt")),
    *(
        f"glide/{n}"
        for n in ("inpaint", "inpaint_training_free", "upsample", "clip_guided", "sdedit")
    ),
)
SIZES = {"adm-64": 64, "adm-128": 128, "adm-256": 256, "adm-512": 512}


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `image.png` and `mask.png`, 48 x 40 px; the left half is known."""
    folder = tmp_path_factory.mktemp("pictures")
    drawn = torch.rand(1, 3, 40, 48, generator=torch.Generator().manual_seed(0)) * 2 - 1
    PillowImage.fromarray(to_bytes(drawn)[0]).save(folder / "image.png")
    mask = PillowImage.new("L", (48, 40), 0)
    mask.paste(255, (0, 0, 24, 40))
    mask.save(folder / "mask.png")
    return folder


def inputs_of(name: str, bundles: Path, pictures: Path, **more: object) -> dict[str, object]:
    """Tiny models, few steps, and pictures where the graph asks for them."""
    graph = compile_graph(find_graph(name, registry()), registry()).graph
    assert graph is not None
    known = graph.inputs
    given: dict[str, object] = {
        "models": str(bundles / ("adm" if name in ADM else "glide")),
        "steps": "3",
        "size": 16,
        "image": str(pictures / "image.png"),
        "mask": str(pictures / "mask.png"),
        "count": 2,
        "jump": 1,
        "resamples": 2,
        **more,
    }
    return {key: value for key, value in given.items() if key in known}


def ran(name: str, bundles: Path, pictures: Path, tmp_path: Path, **more: object):
    graph = load(name, cached=False, out=tmp_path, readable=(bundles, pictures))
    return graph(**inputs_of(name, bundles, pictures, **more)).outputs


@pytest.mark.parametrize("name", [*ADM, *GLIDE])
def test_it_runs(name: str, bundles: Path, pictures: Path, tmp_path: Path) -> None:
    for image in ran(name, bundles, pictures, tmp_path).values():
        assert image.shape[1] == 3
        assert bool(image.isfinite().all())
        assert float(image.std()) > 0


@pytest.mark.parametrize("name", GLIDE)
def test_the_openai_preset_checks_without_weights(name: str) -> None:
    assert checked(name, "openai")


@pytest.mark.parametrize("preset", SIZES)
@pytest.mark.parametrize("name", ["guidance/classifier", "guidance/classifier_ddim"])
def test_adm_presets_check_without_weights(name: str, preset: str) -> None:
    size = SIZES[preset]
    assert f"{size}, {size}" in checked(name, preset)[-1]


def checked(name: str, preset: str) -> list[str]:
    source = find_graph(name, registry())
    program = compile_graph(source, registry(), Request(preset=preset, whole=False)).checked()
    report = check_shapes(program, Session().engine(Recorded(source), Options(cached=False)))
    assert report.diagnostics == ()
    assert report.unknown == 0
    return [step.outputs[0] for step in report.steps if step.name == "sampled"] or ["checked"]


def known_half(picture: Tensor, size: int) -> Tensor:
    return picture[..., : size // 2 - 2]


@pytest.mark.parametrize("name", ["glide/inpaint", "glide/inpaint_training_free"])
def test_known_pixels_come_back(name: str, bundles: Path, pictures: Path, tmp_path: Path) -> None:
    with PillowImage.open(pictures / "image.png") as picture:
        drawn = from_bytes(np.asarray(picture)[None])
    found = ran(name, bundles, pictures, tmp_path)
    for key, size in (("small", 16), ("image", 32)):
        difference = known_half(found[key] - resampled(drawn, (size, size)), size).abs()
        assert float(difference.max()) < 1e-2, key


def test_strength_decides_how_much_is_left(bundles: Path, pictures: Path, tmp_path: Path) -> None:
    little, much = (
        ran("glide/sdedit", bundles, pictures, tmp_path, strength=s, steps="10", count=1)["small"]
        for s in (0.1, 1.0)
    )
    assert not torch.allclose(little, much)
