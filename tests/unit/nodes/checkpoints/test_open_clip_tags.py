"""Every tag of open_clip's table that reads CLIP's vocabulary: tower for tower, picture for picture what open_clip makes of it.

What open_clip builds an architecture from is compared for every tag. The networks, on the meta device: of each kind of tower
one is built, and in a slow test all of them.
"""

from collections.abc import Generator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import context
from torch import Tensor, nn

from nodes.checkpoints.diffusers import UnknownConfig
from nodes.checkpoints.open_clip import open_clip_config
from nodes.checkpoints.open_clip_table import table, tag_of_file
from nodes.checkpoints.transformers_clip import clip_config
from nodes.models.clip import parse_clip
from nodes.networks.clip.network import Clip, clip_pixels, pretrained
from nodes.networks.clip.sizes import clip_parameters
from nodes.networks.config import ClipConfig, ClipPictures

KINDS = ("ViT-B-32", "RN50", "coca_ViT-B-32", "MobileCLIP2-S0")
TOWER = {
    "hidden_act": "gelu",
    "projection_dim": 8,
    "hidden_size": 16,
    "image_size": 40,
    "patch_size": 8,
    "num_attention_heads": 2,
    "num_hidden_layers": 1,
    "intermediate_size": 64,
}
SIZES = ((50, 37), (37, 50), (41, 80), (83, 40), (7, 64), (64, 64), (33, 34))


def tags() -> list[tuple[str, str]]:
    """Architectures with tags, of those that read CLIP's vocabulary."""
    pairs = [(name, tag) for name, found in table().items() for tag in found]
    return [pair for pair in pairs if open_clip_config(pair[0]).tokenizer.kind == "clip"]


@pytest.fixture(scope="module")
def factory() -> Generator[Any]:
    """open_clip's factory, which finds every file where it would download it."""
    import open_clip.factory as factory

    with mock.patch.object(factory, "download_pretrained", lambda *_, **__: "weights.pt"):
        yield factory


class Recorded(nn.Module):
    """In place of a network: what it would be built from."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options
        self.visual = nn.Module()
        self.visual.image_size = options["vision_cfg"]["image_size"]


def made(factory: Any, name: str, tag: str, quick_gelu: bool) -> Any:
    """What open_clip makes. It warns, and warnings are errors, where the activation is not the tag's."""
    options = {"load_weights": False, "device": "meta", "force_quick_gelu": quick_gelu}
    with torch.device("meta"):  # else it is filled first, and moved then
        return factory.create_model(name, tag, **options, force_custom_text=True)


def test_the_table_is_the_packages(factory: Any) -> None:
    import open_clip
    from open_clip.pretrained import get_pretrained_cfg

    assert [(n, t) for n, found in table().items() for t in found] == open_clip.list_pretrained()
    assert all(
        entry == get_pretrained_cfg(n, t) for n, e in table().items() for t, entry in e.items()
    )
    assert len(tags()) > 140


def test_of_every_tag_options_activation_and_pictures(factory: Any) -> None:
    from open_clip.model import CLIPTextCfg, CLIPVisionCfg

    kinds = dict.fromkeys(("CLIP", "CustomTextCLIP", "CoCa"), Recorded)
    with mock.patch.multiple(factory, **kinds):
        for name, tag in tags():
            config = open_clip_config(name, tag=tag)
            theirs = made(factory, name, tag, config.quick_gelu)
            given = theirs.options
            assert given["embed_dim"] == config.embedding
            assert CLIPTextCfg(**given["text_cfg"]) == CLIPTextCfg(**(config.text or {}))
            assert CLIPVisionCfg(**given["vision_cfg"]) == CLIPVisionCfg(**(config.image or {}))
            assert given.get("quick_gelu", False) == config.quick_gelu
            assert processed(config) == theirs.visual.preprocess_cfg, (name, tag)


def processed(config: ClipConfig) -> dict[str, Any]:
    pictures = config.pictures
    assert pictures.program == "open_clip"
    return {
        "size": config.image_size,
        "mode": "RGB",
        "mean": config.means,
        "std": config.deviations,
        "interpolation": pictures.interpolation,
        "resize_mode": pictures.resize_mode,
        "fill_color": pictures.fill,
    }


def parts(network: nn.Module) -> tuple[dict[str, torch.Size], list[str]]:
    """Shapes of all weights, and the classes of all modules but of those that only hold."""
    modules = [f"{name}: {type(module).__name__}" for name, module in network.named_modules()]
    return {name: value.shape for name, value in network.state_dict().items()}, modules


def towers_are_equal(factory: Any, name: str) -> None:
    tag = next(iter(table()[name]))
    config = open_clip_config(name, tag=tag)
    theirs = made(factory, name, tag, config.quick_gelu)
    with torch.device("meta"):
        ours = Clip(config)
    assert ours.text is not None and ours.image is not None
    assert parts(ours.text) == parts(theirs.text)
    assert parts(ours.image) == parts(theirs.visual)
    size = theirs.visual.image_size
    assert config.image_size == (size[0] if isinstance(size, tuple) else size)
    counted = clip_parameters(replace(config, image=None))
    assert counted == sum(p.numel() for p in theirs.text.parameters())
    image = clip_parameters(replace(config, text=None))
    assert image in (0, sum(p.numel() for p in theirs.visual.parameters()))
    assert image > 0 or {"timm_model_name", "attentional_pool"} & (config.image or {}).keys()


@pytest.mark.parametrize("name", KINDS)
def test_towers_of_each_kind(factory: Any, name: str) -> None:
    towers_are_equal(factory, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({name for name, _ in tags()} - {*KINDS}))
def test_towers_of_all(factory: Any, name: str) -> None:
    towers_are_equal(factory, name)


@cache
def picture(size: tuple[int, int]) -> np.ndarray:
    """Smooth, so that it matters where it is cut."""
    rows = np.random.default_rng(size).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(rows).resize(size, Image.Resampling.BICUBIC))


def as_ours(levels: np.ndarray) -> Tensor:
    return torch.from_numpy(levels.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1


@pytest.mark.parametrize("mode", ["shortest", "longest", "squash"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_pictures_bit_for_bit(mode: str, interpolation: str) -> None:
    from open_clip.transform import PreprocessCfg, image_transform_v2

    theirs: Any = image_transform_v2(
        PreprocessCfg(size=40, interpolation=interpolation, resize_mode=mode, fill_color=90),
        is_train=False,
    )
    pictures = ClipPictures(mode, interpolation, 90)  # type: ignore[arg-type]
    config = ClipConfig(image={"image_size": 40}, pictures=pictures)
    for size in SIZES:
        levels = picture(size)
        expected = theirs(Image.fromarray(levels))[None]
        torch.testing.assert_close(
            clip_pixels(as_ours(levels), config), expected, rtol=0, atol=1e-6
        )


@pytest.mark.parametrize("resample", [2, 3])
@pytest.mark.parametrize("size", [{"shortest_edge": 40}, {"height": 40, "width": 40}])
def test_pictures_of_folders_of_diffusers(resample: int, size: dict[str, int]) -> None:
    from transformers import CLIPImageProcessor

    options: dict[str, Any] = {"size": size, "crop_size": {"height": 40, "width": 40}}
    theirs = CLIPImageProcessor(**options, resample=resample)
    config = clip_config(None, TOWER, {**options, "resample": resample})
    for side in SIZES:
        levels = picture(side)
        expected = theirs(Image.fromarray(levels), return_tensors="pt")["pixel_values"]
        torch.testing.assert_close(
            clip_pixels(as_ours(levels), config), expected, rtol=0, atol=1e-6
        )


@pytest.mark.parametrize(
    "option",
    [
        {"do_resize": False},
        {"size": {"shortest_edge": 48}},
        {"size": 40, "crop_size": 32},
        {"resample": 1},
        {"do_normalize": False},
        {"rescale_factor": 1 / 127.5},
    ],
)
def test_a_processor_that_is_not_understood_is_refused(option: dict[str, Any]) -> None:
    with pytest.raises(UnknownConfig):
        clip_config(None, TOWER, {"size": 40, "crop_size": 40, **option})


def test_texts_of_another_vocabulary_are_not_read(tmp_path: Path) -> None:
    clip = parse_clip("open_clip:ViT-B-16-SigLIP/webli", context(tmp_path))
    with pytest.raises(ValueError, match="another vocabulary than CLIP's"):
        clip.read(["a frog"])


def test_a_published_one_has_the_activation_of_its_tag(
    factory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def create(name: str, pretrained: str, force_quick_gelu: bool, **_: Any) -> nn.Module:
        return made(factory, name, pretrained, force_quick_gelu)

    monkeypatch.setattr("open_clip.create_model", create)
    for tag, activation in (("openai", "QuickGELU"), ("laion2b_s34b_b79k", "GELU")):
        config = parse_clip(f"open_clip:ViT-B-32/{tag}", context(tmp_path)).config
        network = pretrained(config, "ViT-B-32", tag, str(tmp_path))
        classes = {type(module).__name__ for module in network.modules()}
        assert {name for name in classes if name.endswith("GELU")} == {activation}


def test_a_published_file_is_known_by_its_digest() -> None:
    openai = "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af"
    assert tag_of_file("ViT-B-32", openai) == "openai"
    assert tag_of_file("ViT-B-32", "af8dbd0c" + openai[8:]) == "laion2b_e16"
    assert tag_of_file("ViT-B-32", openai[::-1]) is None
    assert tag_of_file("ViT-B-16", openai) is None
    assert tag_of_file("ViT-B-32-256", openai) is None


def test_a_tag_is_found_as_open_clip_finds_it() -> None:
    config = open_clip_config("ViT-B-32", tag="LAION400M-e31")
    assert config.quick_gelu
    with pytest.raises(
        ValueError, match="no weights 'opena' for 'ViT-B-32'; did you mean 'openai'"
    ):
        open_clip_config("ViT-B-32", tag="opena")
