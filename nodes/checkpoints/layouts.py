"""Published layouts: what each file of a model holds for the options it was made with, and its keys as ours."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from nodegraph.runtime.meta.modes import skeleton
from nodes.checkpoints import diffusers, karlo, lucidrains
from nodes.checkpoints.configs import BadPart, published_config, unknown
from nodes.checkpoints.entries import OURS, Part
from nodes.checkpoints.keymap import KeyMap
from nodes.checkpoints.open_clip import OPEN_CLIP_KEYS
from nodes.checkpoints.openai import CLASSIFIER_KEYS, CLIP_KEYS, UNET_KEYS
from nodes.checkpoints.sizes import building
from nodes.checkpoints.transformers_clip import clip_to_ours, clip_to_theirs
from nodes.networks.clip.network import Clip
from nodes.networks.config import (
    ArPriorConfig,
    ClassifierConfig,
    ClipConfig,
    NoisedClipConfig,
    PriorConfig,
    UNetConfig,
)
from nodes.networks.noised_clip import NoisedClip
from nodes.networks.prior.autoregressive import ArPrior
from nodes.networks.prior.diffusion import Prior
from nodes.networks.unet.classifier import Classifier
from nodes.networks.unet.network import UNet

Files = Sequence[Mapping[str, Tensor]]
"""The state dicts of a model's files, in the order of the catalogue."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The network that a configuration of published options builds, and how that lies in files.

    `keys`: the names that its parameters have there; `modules`: the module that each file holds, in order; "" is all of it.
    """

    network: Callable[[Any], nn.Module]
    keys: KeyMap
    modules: tuple[str, ...] = ("",)


LAYOUTS: Mapping[str, Layout] = {
    "openai_glide": Layout(UNet, UNET_KEYS),
    "openai_adm": Layout(UNet, UNET_KEYS),
    "openai_adm_upsampler": Layout(UNet, UNET_KEYS),
    "openai_adm_classifier": Layout(Classifier, CLASSIFIER_KEYS),
    "openai_glide_clip": Layout(NoisedClip, CLIP_KEYS, ("image", "text")),
}


NETWORKS: Mapping[type, Callable[[Any], nn.Module]] = {
    UNetConfig: UNet,
    ClassifierConfig: Classifier,
    NoisedClipConfig: NoisedClip,
    PriorConfig: Prior,
    ArPriorConfig: ArPrior,
    ClipConfig: Clip,
}
"""What a configuration of our own layout builds."""


@dataclass(frozen=True, slots=True)
class Converted:
    """A layout whose tensors are ours after more than new names: several become one.

    `ours`: our state dict of its files, for a configuration; `theirs`: the state dicts of its files, of ours. None: such files
    are read, and not written.
    """

    ours: Callable[[Files, Any], dict[str, Tensor]]
    theirs: Callable[[Mapping[str, Tensor], Any], Sequence[dict[str, Tensor]]] | None = None


def _decoder(files: Files, config: Any) -> dict[str, Tensor]:
    network, projection = files
    return {
        **diffusers.unet_to_ours(network, config),
        **diffusers.TEXT_PROJ_KEYS.ours(projection),
    }


def _decoder_files(state_dict: Mapping[str, Tensor], config: Any) -> list[dict[str, Tensor]]:
    projection = {k: v for k, v in state_dict.items() if k.startswith(diffusers.CLIP)}
    network = diffusers.unet_to_theirs(state_dict, config)
    return [network, diffusers.TEXT_PROJ_KEYS.split(projection)]


def _of_first(files: Files, config: Any) -> dict[str, Tensor]:
    return karlo.super_resolution_to_ours(files[0], karlo.FIRST)


def _of_last(files: Files, config: Any) -> dict[str, Tensor]:
    return karlo.super_resolution_to_ours(files[0], karlo.LAST)


CONVERTED: Mapping[str, Converted] = {
    "diffusers_decoder": Converted(_decoder, _decoder_files),
    "diffusers_super_resolution": Converted(
        lambda files, config: diffusers.unet_to_ours(files[0], config),
        lambda state_dict, config: [diffusers.unet_to_theirs(state_dict, config)],
    ),
    "diffusers_prior": Converted(
        lambda files, config: diffusers.prior_keys(config).ours(files[0]),
        lambda state_dict, config: [diffusers.prior_keys(config).split(state_dict)],
    ),
    "transformers_clip": Converted(
        lambda files, _: clip_to_ours(*files), lambda state_dict, _: clip_to_theirs(state_dict)
    ),
    "karlo_prior": Converted(lambda files, _: karlo.prior_to_ours(*files)),
    "karlo_decoder": Converted(lambda files, _: karlo.decoder_to_ours(files[0])),
    "karlo_first": Converted(_of_first),
    "karlo_last": Converted(_of_last),
    "lucidrains_prior": Converted(lambda files, _: lucidrains.prior_to_ours(files[0])),
    "open_clip": Converted(lambda files, _: OPEN_CLIP_KEYS.ours(files[0])),
}


def published_shapes(part: Part) -> list[dict[str, tuple[int, ...]]] | None:
    """Keys and shapes of each file of a part, from its options; None for a converted layout. Raises BadPart."""
    layout = None if part.layout == OURS else _layout(part)
    if isinstance(layout, Converted):
        return None
    modules = ("",) if layout is None else layout.modules
    if len(part.files) != len(modules):
        raise BadPart(f"layout '{part.layout}' has {len(modules)} files, not {len(part.files)}")
    config = published_config(part)
    with building(), skeleton():
        network = (NETWORKS[type(config)] if layout is None else layout.network)(config)
    held = [network.get_submodule(name).state_dict() for name in modules]
    shapes = [{k: tuple(v.shape) for k, v in module.items()} for module in held]
    return shapes if layout is None else [layout.keys.theirs(module) for module in shapes]


def ours(layout: str, files: Files, config: Any) -> dict[str, Tensor]:
    """The state dicts of a layout's files, in order, under our names as one. Raises ValueError as `KeyMap.ours`."""
    if layout == OURS:
        return dict(files[0])
    if layout in CONVERTED:
        return CONVERTED[layout].ours(files, config)
    known = LAYOUTS[layout]
    return {
        f"{module}.{key}" if module else key: value
        for module, file in zip(known.modules, files, strict=True)
        for key, value in known.keys.ours(file).items()
    }


def theirs(
    layout: str, state_dict: Mapping[str, Tensor], config: Any
) -> Sequence[dict[str, Tensor]]:
    """Our state dict as those of a layout's files, in order.

    Raises ValueError for a layout that is read and not written, or a key without a place.
    """
    if layout == OURS:
        return [dict(state_dict)]
    known = {**LAYOUTS, **CONVERTED}[layout]
    if isinstance(known, Layout):
        return [known.keys.split(_below(state_dict, module)) for module in known.modules]
    if known.theirs is None:
        raise ValueError(f"layout '{layout}' is read, and not written")
    return known.theirs(state_dict, config)


def _below(state_dict: Mapping[str, Tensor], module: str) -> dict[str, Tensor]:
    """What a module of a network holds, under its own names."""
    start = f"{module}." if module else ""
    return {k.removeprefix(start): v for k, v in state_dict.items() if k.startswith(start)}


def _layout(part: Part) -> Layout | Converted:
    known = {**LAYOUTS, **CONVERTED}
    if part.layout not in known:
        raise unknown(part)
    return known[part.layout]
