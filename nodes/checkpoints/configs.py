"""Configurations of published models, from the options they were made with, layout by layout. Imports no torch."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from nodes.checkpoints import diffusers, karlo, lucidrains
from nodes.checkpoints.entries import OURS, Part
from nodes.checkpoints.open_clip import open_clip_config
from nodes.checkpoints.openai import adm_config, classifier_config, clip_config, glide_config
from nodes.checkpoints.sizes import NoNetwork, plausible
from nodes.checkpoints.transformers_clip import clip_config as transformers_clip_config
from nodes.checkpoints.transformers_clip import tokenizer_config
from nodes.checkpoints.weights import own_config
from nodes.networks.config import (
    ArPriorConfig,
    ClassifierConfig,
    ClipConfig,
    LaionPriorConfig,
    NoisedClipConfig,
    PriorConfig,
    UNetConfig,
)

Config = (
    UNetConfig
    | ClassifierConfig
    | NoisedClipConfig
    | PriorConfig
    | LaionPriorConfig
    | ArPriorConfig
    | ClipConfig
)
Options = Mapping[str, Any]


def _diffusers_unet(options: Options) -> UNetConfig:
    parts = options["config"], options["scheduler"], options.get("text_proj")
    return diffusers.unet_config(*parts, options.get("image_size"), *_ours(options))


def _diffusers_prior(options: Options) -> PriorConfig:
    return diffusers.prior_config(options["config"], options["scheduler"], *_ours(options))


def _ours(options: Options) -> tuple[str, str]:
    """What no folder of diffusers says: the CLIP's joint space, and the precision of the chain."""
    return options.get("space", ""), options.get("chain", diffusers.SINGLE)


def _transformers_clip(options: Options) -> ClipConfig:
    towers = options.get("text_encoder"), options.get("image_encoder")
    tokenizer = tokenizer_config(options.get("tokenizer"), options.get("vocabulary"), towers[0])
    processor = options.get("processor")
    return transformers_clip_config(*towers, processor, tokenizer, options.get("space", ""))


def _open_clip(options: Options) -> ClipConfig:
    return open_clip_config(options["architecture"], options.get("space", ""))


CONFIGS: Mapping[str, Callable[[Options], Config]] = {
    "openai_glide": glide_config,
    "openai_adm": adm_config,
    "openai_adm_upsampler": partial(adm_config, low_resolution=True),
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


class BadPart(ValueError):
    """A part of a catalogue whose layout or options describe no network."""


def published_config(part: Part) -> Config:
    """Configuration of a published model from its options. Raises BadPart; in our own layout BadConfig."""
    if part.layout == OURS:
        return own_config(part.kind, part.options or {}, "the options of our own layout")
    try:
        found = _reader(part)(part.options or {})
        plausible(found)
        return found
    except NoNetwork as error:
        raise BadPart(f"the options of layout '{part.layout}': {error}") from None
    except KeyError as error:
        raise BadPart(f"the options of layout '{part.layout}' lack {error}") from None
    except (TypeError, AttributeError, ArithmeticError, IndexError) as error:
        raise BadPart(f"the options of layout '{part.layout}' describe nothing: {error}") from None


def _reader(part: Part) -> Callable[[Options], Config]:
    if part.layout not in CONFIGS:
        raise unknown(part)
    return CONFIGS[part.layout]


def unknown(part: Part) -> BadPart:
    """What is wrong with a part whose layout there is not."""
    return BadPart(f"there is no layout '{part.layout}'; there are {', '.join(CONFIGS)}")
