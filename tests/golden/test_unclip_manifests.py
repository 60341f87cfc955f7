"""Every key and shape of the published checkpoints of Karlo, without weights."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nodes.checkpoints import karlo
from nodes.checkpoints.catalogue import entries
from nodes.checkpoints.configs import published_config
from nodes.checkpoints.diffusers import prior_config, unet_config
from nodes.checkpoints.entries import Part
from nodes.checkpoints.layouts import ours
from nodes.checkpoints.transformers_clip import clip_config
from nodes.checkpoints.verify import WrongFile, identified
from nodes.networks.clip.network import Clip
from nodes.networks.clip.sizes import clip_parameters
from nodes.networks.config import ClipConfig, PriorConfig
from nodes.networks.prior.diffusion import Prior
from nodes.networks.unet.network import UNet

MANIFEST, ORIGINAL = "unclip_karlo_manifest", "unclip_karlo_original_manifest"
DIFFUSERS = ("kakaobrain/karlo-v1-alpha", "kakaobrain/karlo-v1-alpha-image-variations")
COMPONENTS = {
    "decoder": ["decoder", "text_proj"],
    "clip": ["text_encoder", "image_encoder"],
}
"""Of which of the manifest's components a part of the bundle consists, where it is not one of its own name."""


CONFIGURED = (
    *("prior", "prior_scheduler", "decoder", "decoder_scheduler", "text_proj"),
    *("super_res_first", "super_res_last", "super_res_scheduler"),
    *("text_encoder", "image_encoder", "feature_extractor"),
)


def empty(shapes: Mapping[str, Any]) -> dict[str, Tensor]:
    return {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}


def built(config: Any) -> nn.Module:
    kinds: dict[type, Callable[[Any], nn.Module]] = {PriorConfig: Prior, ClipConfig: Clip}
    with torch.device("meta"):
        return kinds.get(type(config), UNet)(config)


def loads(part: Part, files: list[dict[str, Tensor]]) -> Any:
    """The configuration of a part, whose network takes all that is in the files and lacks nothing."""
    config = published_config(part)
    built(config).load_state_dict(ours(part.layout, files, config), assign=True)
    return config


def components(name: str, part: Part) -> list[str]:
    return COMPONENTS.get(name, [name])[: len(part.files)]


def test_the_published_folders(golden) -> None:
    meta = golden.meta(MANIFEST)
    compared: set[str] = set()
    for bundle in DIFFUSERS:
        for name, part in entries()[bundle].parts.items():
            if not set(components(name, part)) <= set(meta["state_dict"]):
                continue
            files = []
            for component, file in zip(components(name, part), part.files, strict=True):
                extra = meta["extra_keys_tolerated"].get(component, {})
                shapes = {
                    **meta["state_dict"][component],
                    **{key: shape for key, (shape, _) in extra.items()},
                }
                files.append(empty(shapes))
                assert len(shapes) == file.keys
                assert sum(v.numel() for v in files[-1].values()) == file.parameters
                compared.add(component)
            loads(part, files)
    assert compared == set(meta["state_dict"]) or golden.partial


def test_a_file_is_told_by_its_numbers(golden, tmp_path) -> None:
    """Several of its tensors become one of ours, so its keys are not compared; they stand below a name, or in a list."""
    meta = golden.meta(ORIGINAL)
    bundle, path = "kakaobrain/karlo-v1-alpha-original", tmp_path / "file.ckpt"
    weights, statistics = entries()[bundle].parts["prior"].files
    state = empty(golden.part(meta["state_dict"], "prior"))
    torch.save({"state_dict": state}, path)
    assert identified(f"{bundle}/prior", path) == weights.name
    width = meta["yaml"]["prior"]["model"]["hparams"]["clip_dim"]
    torch.save([torch.zeros(width), torch.ones(width)], path)
    assert identified(f"{bundle}/prior", path) == statistics.name
    torch.save({"state_dict": dict(list(state.items())[1:])}, path)
    with pytest.raises(WrongFile, match=f"instead of {len(state)} with "):
        identified(f"{bundle}/prior", path)


def test_the_catalogue_says_what_the_configuration_files_say(golden) -> None:
    meta = golden.meta(MANIFEST)
    given = {name: golden.part(meta["config"], name) for name in CONFIGURED}
    first, second = (entries()[bundle].parts for bundle in DIFFUSERS)
    space = published_config(first["prior"]).space
    assert published_config(first["prior"]) == prior_config(
        given["prior"], given["prior_scheduler"], space
    )
    decoder = unet_config(
        given["decoder"], given["decoder_scheduler"], given["text_proj"], None, space
    )
    size = given["super_res_first"]["sample_size"]
    for parts in (first, second):
        assert published_config(parts["decoder"]) == decoder
        for name in ("super_res_first", "super_res_last"):
            found = unet_config(given[name], given["super_res_scheduler"], None, size)
            assert published_config(parts[name]) == found
    towers = given["text_encoder"], given["image_encoder"], given["feature_extractor"]
    assert published_config(second["clip"]) == clip_config(*towers, space=space)


def test_sizes_of_clip_without_its_modules(golden) -> None:
    meta = golden.meta(MANIFEST)
    text, image = (golden.part(meta["config"], name) for name in COMPONENTS["clip"])
    for towers, names in (((text, None), ["text_encoder"]), ((None, image), ["image_encoder"])):
        expected = sum(meta["params"][name] for name in names)
        assert clip_parameters(clip_config(*towers)) == expected


def test_the_original_checkpoints(golden) -> None:
    """Both networks of super-resolution lie in one file, and together they use all of it."""
    meta = golden.meta(ORIGINAL)
    parts = entries()["kakaobrain/karlo-v1-alpha-original"].parts
    for name, part in parts.items():
        key = "sr" if name.startswith("super_res") else name
        if (shapes := meta["state_dict"].get(key)) is None:
            assert golden.partial, key
            continue
        assert len(shapes) == part.files[0].keys
        files = [empty(shapes)]
        if name == "prior":
            width = meta["yaml"]["prior"]["model"]["hparams"]["clip_dim"]
            files.append(empty({"0": [width], "1": [width]}))
        loads(part, files)
    prefixes = karlo.FIRST, karlo.LAST
    assert all(key.startswith(prefixes) for key in meta["state_dict"].get("sr", {}))


def test_original_hyper_parameters(golden) -> None:
    given = golden.meta(ORIGINAL)["yaml"]
    parts = entries()["kakaobrain/karlo-v1-alpha-original"].parts
    for name, part in parts.items():
        key = "sr" if name.startswith("super_res") else name
        if key not in given and golden.partial:
            continue
        assert part.options is not None
        hparams = given[key]["model"]["hparams"]
        assert {k: hparams[k] for k in part.options if k != "space"} == {
            k: v for k, v in part.options.items() if k != "space"
        }
