"""Published layouts: what a file holds for the options it was made with, and its keys as ours."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from nodes.checkpoints import diffusers, karlo, lucidrains
from nodes.checkpoints.catalogue import Part
from nodes.checkpoints.open_clip import open_clip_config, open_clip_to_ours
from nodes.checkpoints.openai import (
    adm_config,
    classifier_config,
    clip_config,
    glide_config,
    openai_key,
    to_ours,
)
from nodes.checkpoints.transformers_clip import clip_config as transformers_clip_config
from nodes.checkpoints.transformers_clip import clip_to_ours
from nodes.networks.config import (
    ClassifierConfig,
    ClipConfig,
    ClipTokenizerConfig,
    LaionPriorConfig,
    NoisedClipConfig,
    PriorConfig,
    UNetConfig,
)
from nodes.networks.unet import UNet

OURS = "nodegraph"
Config = (
    UNetConfig | ClassifierConfig | NoisedClipConfig | PriorConfig | LaionPriorConfig | ClipConfig
)
Options = Mapping[str, Any]

UNETS: Mapping[str, Callable[[Options], UNetConfig]] = {
    "openai_glide": glide_config,
    "openai_adm": adm_config,
    "openai_adm_upsampler": partial(adm_config, low_resolution=True),
}
"""Configurations of UNets by layout, from their published options."""


def _diffusers_unet(options: Options) -> UNetConfig:
    parts = options["config"], options["scheduler"], options.get("text_proj")
    return diffusers.unet_config(*parts, options.get("image_size"), options.get("space", ""))


def _diffusers_prior(options: Options) -> PriorConfig:
    return diffusers.prior_config(options["config"], options["scheduler"], options.get("space", ""))


def _transformers_clip(options: Options) -> ClipConfig:
    folder = options.get("vocabulary")
    tokenizer = ClipTokenizerConfig("folder", folder) if folder else None
    towers = options.get("text_encoder"), options.get("image_encoder")
    processor = options.get("processor")
    return transformers_clip_config(*towers, processor, tokenizer, options.get("space", ""))


def _open_clip(options: Options) -> ClipConfig:
    return open_clip_config(options["architecture"], options.get("space", ""))


CONFIGS: Mapping[str, Callable[[Options], Config]] = {
    **UNETS,
    "openai_adm_classifier": classifier_config,
    "openai_glide_clip": clip_config,
    "diffusers_decoder": _diffusers_unet,
    "diffusers_super_resolution": _diffusers_unet,
    "diffusers_prior": _diffusers_prior,
    "transformers_clip": _transformers_clip,
    "karlo_prior": karlo.prior_config,
    "karlo_decoder": karlo.decoder_config,
    "karlo_first": karlo.super_resolution_config,
    "karlo_last": karlo.super_resolution_config,
    "lucidrains_prior": lucidrains.prior_config,
    "open_clip": _open_clip,
}
"""Configurations of every kind of network by layout."""


def published_config(part: Part) -> Config | None:
    """Configuration of a published model, or None for a layout that is not known."""
    known = CONFIGS.get(part.layout)
    return known(part.options) if known and part.options else None


def published_shapes(part: Part) -> dict[str, tuple[int, ...]] | None:
    """Keys of a part's file and their shapes, from its options; None for a layout that is judged by its counts."""
    if part.layout not in UNETS or not part.options:
        return None
    with torch.device("meta"):
        network = UNet(UNETS[part.layout](part.options))
    return {openai_key(key): tuple(value.shape) for key, value in network.state_dict().items()}


Files = Sequence[Mapping[str, Tensor]]
"""The state dicts of a model's files, in the order of the catalogue."""


def _noised_clip(files: Files, config: Any) -> dict[str, Tensor]:
    parts = zip(("image", "text"), files, strict=True)
    return {f"{part}.{k}": v for part, file in parts for k, v in to_ours(file, "clip").items()}


def _decoder(files: Files, config: Any) -> dict[str, Tensor]:
    network, projection = files
    return {
        **diffusers.unet_to_ours(network, config),
        **diffusers.text_proj_to_ours(projection),
    }


def _of_first(files: Files, config: Any) -> dict[str, Tensor]:
    return karlo.super_resolution_to_ours(files[0], karlo.FIRST)


def _of_last(files: Files, config: Any) -> dict[str, Tensor]:
    return karlo.super_resolution_to_ours(files[0], karlo.LAST)


RENAMED: Mapping[str, Callable[[Files, Any], dict[str, Tensor]]] = {
    OURS: lambda files, config: dict(files[0]),
    **{layout: lambda files, config: to_ours(files[0]) for layout in UNETS},
    "openai_adm_classifier": lambda files, config: to_ours(files[0], "classifier"),
    "openai_glide_clip": _noised_clip,
    "diffusers_decoder": _decoder,
    "diffusers_super_resolution": lambda files, c: diffusers.unet_to_ours(files[0], c),
    "diffusers_prior": lambda files, config: diffusers.prior_to_ours(files[0], config),
    "transformers_clip": lambda files, config: clip_to_ours(*files),
    "karlo_prior": lambda files, config: karlo.prior_to_ours(*files),
    "karlo_decoder": lambda files, config: karlo.decoder_to_ours(files[0]),
    "karlo_first": _of_first,
    "karlo_last": _of_last,
    "lucidrains_prior": lambda files, config: lucidrains.prior_to_ours(files[0]),
    "open_clip": lambda files, config: open_clip_to_ours(files[0]),
}
"""What makes our state dict of the files of a layout, for a configuration."""


def ours(layout: str, files: Files, config: Any) -> dict[str, Tensor]:
    """The state dicts of a layout's files under our names, as one. Raises ValueError for keys that cannot be told apart."""
    return RENAMED[layout](files, config)
