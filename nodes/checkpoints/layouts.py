"""Published layouts: what each file of a model holds for the options it was made with, and its keys as ours."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor, nn

from nodegraph.runtime.meta.modes import skeleton
from nodes.checkpoints import diffusers, karlo, lucidrains
from nodes.checkpoints.catalogue import Part
from nodes.checkpoints.open_clip import open_clip_config, open_clip_to_ours
from nodes.checkpoints.openai import (
    Names,
    adm_config,
    classifier_config,
    clip_config,
    glide_config,
    openai_key,
    to_ours,
)
from nodes.checkpoints.sizes import NoNetwork, building, plausible
from nodes.checkpoints.transformers_clip import clip_config as transformers_clip_config
from nodes.checkpoints.transformers_clip import clip_to_ours, tokenizer_config
from nodes.networks.config import (
    ClassifierConfig,
    ClipConfig,
    LaionPriorConfig,
    NoisedClipConfig,
    PriorConfig,
    UNetConfig,
)
from nodes.networks.noised_clip import NoisedClip
from nodes.networks.unet.classifier import Classifier
from nodes.networks.unet.network import UNet

OURS = "nodegraph"
Config = (
    UNetConfig | ClassifierConfig | NoisedClipConfig | PriorConfig | LaionPriorConfig | ClipConfig
)
Options = Mapping[str, Any]
Files = Sequence[Mapping[str, Tensor]]
"""The state dicts of a model's files, in the order of the catalogue."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A configuration from published options, the network that it builds, and how that lies in files.

    `names`: whose names its parameters have there; `modules`: the module that each file holds, in order; "" is all of it.
    """

    config: Callable[[Options], Config]
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


@dataclass(frozen=True, slots=True)
class Converted:
    """A layout whose tensors are ours after more than new names (several become one): it is read, and not written.

    `ours`: our state dict of its files, for a configuration.
    """

    config: Callable[[Options], Config]
    ours: Callable[[Files, Any], dict[str, Tensor]]


def _diffusers_unet(options: Options) -> UNetConfig:
    parts = options["config"], options["scheduler"], options.get("text_proj")
    return diffusers.unet_config(*parts, options.get("image_size"), options.get("space", ""))


def _diffusers_prior(options: Options) -> PriorConfig:
    return diffusers.prior_config(options["config"], options["scheduler"], options.get("space", ""))


def _transformers_clip(options: Options) -> ClipConfig:
    towers = options.get("text_encoder"), options.get("image_encoder")
    tokenizer = tokenizer_config(options.get("tokenizer"), options.get("vocabulary"), towers[0])
    processor = options.get("processor")
    return transformers_clip_config(*towers, processor, tokenizer, options.get("space", ""))


def _open_clip(options: Options) -> ClipConfig:
    return open_clip_config(options["architecture"], options.get("space", ""))


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


CONVERTED: Mapping[str, Converted] = {
    "diffusers_decoder": Converted(_diffusers_unet, _decoder),
    "diffusers_super_resolution": Converted(
        _diffusers_unet, lambda files, config: diffusers.unet_to_ours(files[0], config)
    ),
    "diffusers_prior": Converted(
        _diffusers_prior, lambda files, config: diffusers.prior_to_ours(files[0], config)
    ),
    "transformers_clip": Converted(_transformers_clip, lambda files, _: clip_to_ours(*files)),
    "karlo_prior": Converted(karlo.prior_config, lambda files, _: karlo.prior_to_ours(*files)),
    "karlo_decoder": Converted(
        karlo.decoder_config, lambda files, _: karlo.decoder_to_ours(files[0])
    ),
    "karlo_first": Converted(karlo.super_resolution_config, _of_first),
    "karlo_last": Converted(karlo.super_resolution_config, _of_last),
    "lucidrains_prior": Converted(
        lucidrains.prior_config, lambda files, _: lucidrains.prior_to_ours(files[0])
    ),
    "open_clip": Converted(_open_clip, lambda files, _: open_clip_to_ours(files[0])),
}


class BadPart(ValueError):
    """A part of a catalogue whose layout or options describe no network."""


def published_config(part: Part) -> Config:
    """Configuration of a published model from its options. Raises BadPart."""
    try:
        found = _layout(part).config(part.options or {})
        plausible(found)
        return found
    except NoNetwork as error:
        raise BadPart(f"the options of layout '{part.layout}': {error}") from None
    except KeyError as error:
        raise BadPart(f"the options of layout '{part.layout}' lack {error}") from None
    except (TypeError, AttributeError, ArithmeticError, IndexError) as error:
        raise BadPart(f"the options of layout '{part.layout}' describe nothing: {error}") from None


def published_shapes(part: Part) -> list[dict[str, tuple[int, ...]]] | None:
    """Keys and shapes of each file of a part, from its options; None for a converted layout. Raises BadPart."""
    layout = _layout(part)
    if isinstance(layout, Converted):
        return None
    if len(part.files) != len(layout.modules):
        raise BadPart(
            f"layout '{part.layout}' has {len(layout.modules)} files, not {len(part.files)}"
        )
    config = published_config(part)
    with building(), skeleton():
        network = layout.network(config)
    modules = [network.get_submodule(name) for name in layout.modules]
    return [
        {openai_key(key, layout.names): tuple(v.shape) for key, v in module.state_dict().items()}
        for module in modules
    ]


def ours(layout: str, files: Files, config: Any) -> dict[str, Tensor]:
    """The state dicts of a layout's files, in order, under our names as one. Raises ValueError where two keys meet."""
    if layout == OURS:
        return dict(files[0])
    if layout in CONVERTED:
        return CONVERTED[layout].ours(files, config)
    known = LAYOUTS[layout]
    return {
        f"{module}.{key}" if module else key: value
        for module, file in zip(known.modules, files, strict=True)
        for key, value in to_ours(file, known.names).items()
    }


def _layout(part: Part) -> Layout | Converted:
    known = {**LAYOUTS, **CONVERTED}
    if part.layout not in known:
        raise BadPart(f"there is no layout '{part.layout}'; there are {', '.join(known)}")
    return known[part.layout]
