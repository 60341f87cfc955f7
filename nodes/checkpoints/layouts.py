"""Published layouts: what a file holds for the options it was made with, and its keys as ours."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from nodes.checkpoints.catalogue import Part
from nodes.checkpoints.openai import (
    adm_config,
    classifier_config,
    clip_config,
    glide_config,
    openai_key,
    to_ours,
)
from nodes.networks.config import ClassifierConfig, NoisedClipConfig, UNetConfig
from nodes.networks.unet import UNet

OURS = "nodegraph"
Config = UNetConfig | ClassifierConfig | NoisedClipConfig

UNETS: Mapping[str, Callable[[Mapping[str, Any]], UNetConfig]] = {
    "openai_glide": glide_config,
    "openai_adm": adm_config,
    "openai_adm_upsampler": partial(adm_config, low_resolution=True),
}
"""Configurations of UNets by layout, from their published options."""
CONFIGS: Mapping[str, Callable[[Mapping[str, Any]], Config]] = {
    **UNETS,
    "openai_adm_classifier": classifier_config,
    "openai_glide_clip": clip_config,
}
"""Configurations of every kind of network by layout."""


def published_config(part: Part) -> Config | None:
    """Configuration of a published model, or None for a layout that is not known."""
    known = CONFIGS.get(part.layout)
    return known(part.options) if known and part.options else None


def unet_config(part: Part) -> UNetConfig | None:
    """Configuration of a published UNet, or None for anything else."""
    config = published_config(part)
    return config if isinstance(config, UNetConfig) else None


def published_shapes(part: Part) -> dict[str, tuple[int, ...]] | None:
    """Keys of a part's file and their shapes, from its options; None for a layout that no network here has."""
    config = unet_config(part)
    if config is None:
        return None
    with torch.device("meta"):
        network = UNet(config)
    return {openai_key(key): tuple(value.shape) for key, value in network.state_dict().items()}


Files = Sequence[Mapping[str, Tensor]]
"""The state dicts of a model's files, in the order of the catalogue."""


def _clip(files: Files) -> dict[str, Tensor]:
    parts = zip(("image", "text"), files, strict=True)
    return {f"{part}.{k}": v for part, file in parts for k, v in to_ours(file, "clip").items()}


RENAMED: Mapping[str, Callable[[Files], dict[str, Tensor]]] = {
    OURS: lambda files: dict(files[0]),
    **{layout: lambda files: to_ours(files[0]) for layout in UNETS},
    "openai_adm_classifier": lambda files: to_ours(files[0], "classifier"),
    "openai_glide_clip": _clip,
}
"""What makes our state dict of the files of a layout."""


def ours(layout: str, files: Files) -> dict[str, Tensor]:
    """The state dicts of a layout's files under our names, as one. Raises ValueError for keys that cannot be told apart."""
    return RENAMED[layout](files)
