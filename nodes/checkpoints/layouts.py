"""Published layouts: what each file of a model holds for the options it was made with, and its keys as ours."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from nodes.checkpoints.catalogue import Part
from nodes.checkpoints.openai import (
    Names,
    adm_config,
    classifier_config,
    clip_config,
    glide_config,
    openai_key,
    to_ours,
)
from nodes.networks.classifier import Classifier
from nodes.networks.config import ClassifierConfig, NoisedClipConfig, UNetConfig
from nodes.networks.noised_clip import NoisedClip
from nodes.networks.unet import UNet

OURS = "nodegraph"
Config = UNetConfig | ClassifierConfig | NoisedClipConfig


@dataclass(frozen=True, slots=True)
class Layout:
    """A configuration from published options, the network that it builds, and how that lies in files.

    `names`: whose names its parameters have there; `modules`: the module that each file holds, in order; "" is all of it.
    """

    config: Callable[[Mapping[str, Any]], Config]
    network: Callable[[Any], nn.Module]
    names: Names
    modules: tuple[str, ...] = ("",)


LAYOUTS: Mapping[str, Layout] = {
    "openai_glide": Layout(glide_config, UNet, "unet"),
    "openai_adm": Layout(adm_config, UNet, "unet"),
    "openai_adm_upsampler": Layout(partial(adm_config, low_resolution=True), UNet, "unet"),
    "openai_adm_classifier": Layout(classifier_config, Classifier, "classifier"),
    "openai_glide_clip": Layout(clip_config, NoisedClip, "clip", ("image", "text")),
}


class BadPart(ValueError):
    """A part of a catalogue whose layout or options describe no network."""


def published_config(part: Part) -> Config:
    """Configuration of a published model from its options. Raises BadPart."""
    try:
        return _layout(part).config(part.options or {})
    except KeyError as error:
        raise BadPart(f"the options of layout '{part.layout}' lack {error}") from None


def published_shapes(part: Part) -> list[dict[str, tuple[int, ...]]]:
    """Keys and shapes of each file of a part, from its options. Raises BadPart."""
    layout = _layout(part)
    if len(part.files) != len(layout.modules):
        raise BadPart(
            f"layout '{part.layout}' has {len(layout.modules)} files, not {len(part.files)}"
        )
    with torch.device("meta"):
        network = layout.network(published_config(part))
    modules = [network.get_submodule(name) for name in layout.modules]
    return [
        {openai_key(key, layout.names): tuple(v.shape) for key, v in module.state_dict().items()}
        for module in modules
    ]


def ours(layout: str, files: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The state dicts of a layout's files, in order, under our names as one. Raises ValueError where two keys meet."""
    if layout == OURS:
        return dict(files[0])
    known = LAYOUTS[layout]
    return {
        f"{module}.{key}" if module else key: value
        for module, file in zip(known.modules, files, strict=True)
        for key, value in to_ours(file, known.names).items()
    }


def _layout(part: Part) -> Layout:
    if part.layout not in LAYOUTS:
        raise BadPart(f"there is no layout '{part.layout}'; there are {', '.join(LAYOUTS)}")
    return LAYOUTS[part.layout]
