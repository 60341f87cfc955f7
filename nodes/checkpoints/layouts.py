"""Published layouts: what each file of a model holds for the options it was made with, and its keys as ours."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from nodegraph.runtime.meta.modes import skeleton
from nodes.checkpoints import diffusers, karlo, lucidrains
from nodes.checkpoints.catalogue import OURS, Part
from nodes.checkpoints.configs import BadPart, published_config, unknown
from nodes.checkpoints.keymap import KeyMap
from nodes.checkpoints.open_clip import OPEN_CLIP_KEYS
from nodes.checkpoints.openai import CLASSIFIER_KEYS, CLIP_KEYS, UNET_KEYS
from nodes.checkpoints.sizes import building
from nodes.checkpoints.transformers_clip import clip_to_ours
from nodes.networks.noised_clip import NoisedClip
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


@dataclass(frozen=True, slots=True)
class Converted:
    """A layout whose tensors are ours after more than new names (several become one): it is read, and not written.

    `ours`: our state dict of its files, for a configuration.
    """

    ours: Callable[[Files, Any], dict[str, Tensor]]


def _decoder(files: Files, config: Any) -> dict[str, Tensor]:
    network, projection = files
    return {
        **diffusers.unet_to_ours(network, config),
        **diffusers.TEXT_PROJ_KEYS.ours(projection),
    }


def _of_first(files: Files, config: Any) -> dict[str, Tensor]:
    return karlo.super_resolution_to_ours(files[0], karlo.FIRST)


def _of_last(files: Files, config: Any) -> dict[str, Tensor]:
    return karlo.super_resolution_to_ours(files[0], karlo.LAST)


CONVERTED: Mapping[str, Converted] = {
    "diffusers_decoder": Converted(_decoder),
    "diffusers_super_resolution": Converted(
        lambda files, config: diffusers.unet_to_ours(files[0], config)
    ),
    "diffusers_prior": Converted(lambda files, config: diffusers.prior_keys(config).ours(files[0])),
    "transformers_clip": Converted(lambda files, _: clip_to_ours(*files)),
    "karlo_prior": Converted(lambda files, _: karlo.prior_to_ours(*files)),
    "karlo_decoder": Converted(lambda files, _: karlo.decoder_to_ours(files[0])),
    "karlo_first": Converted(_of_first),
    "karlo_last": Converted(_of_last),
    "lucidrains_prior": Converted(lambda files, _: lucidrains.prior_to_ours(files[0])),
    "open_clip": Converted(lambda files, _: OPEN_CLIP_KEYS.ours(files[0])),
}


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
    shapes = [{k: tuple(v.shape) for k, v in module.state_dict().items()} for module in modules]
    return [layout.keys.theirs(held) for held in shapes]


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


def _layout(part: Part) -> Layout | Converted:
    known = {**LAYOUTS, **CONVERTED}
    if part.layout not in known:
        raise unknown(part)
    return known[part.layout]
