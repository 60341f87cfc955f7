"""Published layouts: what a file holds for the options it was made with, and its keys as ours."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from nodes.checkpoints.catalogue import Part
from nodes.checkpoints.openai import adm_config, glide_config, openai_key, to_ours
from nodes.networks.config import UNetConfig
from nodes.networks.unet import UNet

UNETS: Mapping[str, Callable[[Mapping[str, Any]], UNetConfig]] = {
    "openai_glide": glide_config,
    "openai_adm": adm_config,
    "openai_adm_upsampler": partial(adm_config, low_resolution=True),
}
"""Configurations of UNets by layout, from their published options."""


def unet_config(part: Part) -> UNetConfig | None:
    """Configuration of a published UNet, or None for anything else."""
    known = UNETS.get(part.layout)
    return known(part.options) if known and part.options else None


def published_shapes(part: Part) -> dict[str, tuple[int, ...]] | None:
    """Keys of a part's file and their shapes, from its options; None for a layout that no network here has."""
    config = unet_config(part)
    if config is None:
        return None
    with torch.device("meta"):
        network = UNet(config)
    return {openai_key(key): tuple(value.shape) for key, value in network.state_dict().items()}


def ours(layout: str, state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict of a layout under our names. Raises ValueError for keys that cannot be told apart."""
    return to_ours(state_dict) if layout in UNETS else dict(state_dict)
