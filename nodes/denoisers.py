"""Nodes that make denoisers, and the techniques around them."""

from typing import Annotated

import torch
from torch import Tensor

from nodegraph import Doc, Mismatch, Range, node
from nodes.diffusion import techniques
from nodes.diffusion.denoisers import Denoiser, Leaf
from nodes.models.embeddings import same_space
from nodes.networks.unet import upsampled
from nodes.types import PORT_TYPES as PORT_TYPES
from nodes.types import (
    ClipImage,
    ClipText,
    ClipTokens,
    Condition,
    Image,
    Mask,
    Prior,
    UNet,
    X,
)


@node(category="denoising", words=("UNet denoiser", "model"))
def unet_denoiser(model: UNet, conditions: list[Condition] = []) -> Denoiser[Image]:  # noqa: B006
    """The network under its conditions: what it predicts of x_0 at (x_t, t).

    Raises Mismatch when the network wants other conditions, or a text was encoded by another network.
    """
    by_kind = {c.kind: c for c in conditions}
    if len(by_kind) < len(conditions):
        raise Mismatch(
            "two conditions of one kind", port="conditions", hint="wire one of each kind"
        )
    _check_kinds(model, by_kind)
    tensors: dict[str, Tensor] = {}
    if text := by_kind.get("text"):
        tensors |= {"embedding": text.embedding, "tokens": text.tokens}  # type: ignore[dict-item]
    if clip := by_kind.get("unclip"):
        tensors |= {"embedding": clip.embedding, "tokens": clip.tokens, "mask": clip.mask}  # type: ignore[dict-item]
    if small := by_kind.get("low_resolution"):
        config = model.config
        tensors["pixels"] = upsampled(small.pixels, config.image_size, config.low_resolution_as)  # type: ignore[arg-type]
    return Leaf(model.diffusion, {name: value.to(model.device) for name, value in tensors.items()})


def _check_kinds(model: UNet, given: dict[str, Condition]) -> None:
    config = model.config
    wants = {
        "text": config.text is not None,
        "unclip": config.clip is not None,
        "low_resolution": config.low_resolution,
    }
    for kind, wanted in wants.items():
        if wanted and kind not in given:
            makers = {"text": "text_encoder", "unclip": "unclip_conditions"}
            maker = makers.get(kind, "low_resolution")
            raise Mismatch(
                f"'{model.name}' wants a {kind} condition",
                port="conditions",
                hint=f"wire a {maker}",
            )
        if kind in given and not wanted:
            raise Mismatch(f"'{model.name}' takes no {kind} condition", port="conditions")
    for kind, maker in (("text", "text_encoder"), ("unclip", "unclip_conditions")):
        if kind in given and given[kind].made_by != model.digest:
            raise Mismatch(
                f"the {kind} condition was made by another network than '{model.name}'",
                port="conditions",
                hint=f"wire a {maker} with the same model",
            )


@node(category="denoising", words=("CLIP prior", "unCLIP prior"))
def prior_denoiser(
    model: Prior,
    text: Annotated[ClipTokens | None, Doc("Without one: what the prior learned for none.")] = None,
    embedding: Annotated[ClipText | None, Doc("The embedding of the same text.")] = None,
) -> Denoiser[ClipImage]:
    """The prior under a text: what it predicts of CLIP's image embedding at (x_t, t).

    Raises Mismatch when the text was read by another CLIP than the prior was trained with, or is missing for a prior that
    learned no null. Ref: Ramesh et al. 2022, §2.2.
    """
    if (text is None or embedding is None) and not model.has_nulls:
        raise Mismatch(
            f"'{model.name}' learned nothing for a missing text",
            port="text" if text is None else "embedding",
            hint="wire both outputs of a clip_text, of an empty text for the unconditional branch",
        )
    conditions: dict[str, Tensor] = {}
    if text is not None:
        same_space(model.config.space, text, f"the prior '{model.name}'", "text")
        conditions |= {"tokens": text.values, "mask": text.mask}
    if embedding is not None:
        same_space(model.config.space, embedding, f"the prior '{model.name}'", "embedding")
        conditions["embedding"] = embedding.values
    return Leaf(model.diffusion, {n: v.to(model.device) for n, v in conditions.items()})


@node(category="guidance", words=("guidance combiner", "cfg", "negative prompt"))
def classifier_free_guidance(
    cond: Denoiser[X],
    uncond: Annotated[
        Denoiser[X], Doc("The same network under an empty text, or under what is not wanted.")
    ],
    scale: Annotated[float, Range(-20, 100), Doc("s = 1 + w of the paper; 1 = no guidance.")] = 3.0,
) -> Denoiser[X]:
    """x_0 = u + s (c − u): further along what the condition changes. One network call a step.

    Ref: Ho & Salimans 2022, eq. 6.
    """
    return techniques.ClassifierFreeGuidance(_same_samples(cond, uncond), uncond, scale)


@node(category="guidance", words=("guidance interval",))
def guidance_interval(
    inside: Denoiser[X],
    outside: Denoiser[X],
    start: Annotated[
        int, Range(0), Doc("First trained timestep of the interval, the less noisy end.")
    ] = 0,
    end: Annotated[int, Range(0), Doc("Last trained timestep of the interval.")] = 999,
) -> Denoiser[X]:
    """`inside` for timesteps in [start, end], `outside` elsewhere. Ref: Kynkäänniemi et al. 2024."""
    return techniques.GuidanceInterval(_same_samples(inside, outside), outside, start, end)


def _same_samples(first: Denoiser[X], second: Denoiser[X]) -> Denoiser[X]:
    if first.sample_shape != second.sample_shape:
        raise Mismatch(
            f"one denoiser makes {list(first.sample_shape)}, the other {list(second.sample_shape)}"
        )
    if (first.trained.kind, len(first.trained)) != (second.trained.kind, len(second.trained)):
        raise Mismatch(
            f"one network was trained on a {first.trained.kind} chain, "
            f"the other on a {second.trained.kind} one"
        )
    return first


@node(category="denoising", words=("threshold",))
def clip_x0(
    denoiser: Denoiser[X],
    low: Annotated[float | None, Doc("Empty: as the network was trained, −1 for pictures.")] = None,
    high: Annotated[float | None, Doc("Empty: as the network was trained, 1 for pictures.")] = None,
) -> Denoiser[X]:
    """x_0 within [low, high]. Stands outside guidance: inside, guided pictures would leave the range again."""
    low = -denoiser.x0_bound if low is None else low
    high = denoiser.x0_bound if high is None else high
    if low >= high:
        raise Mismatch(f"low ({low}) must be below high ({high})", port="low")
    return techniques.ClipX0(denoiser, low, high)


@node(category="denoising", words=("threshold", "imagen"))
def dynamic_threshold(
    denoiser: Denoiser[X], percentile: Annotated[float, Range(0, 1)] = 0.995
) -> Denoiser[X]:
    """x_0 divided by the percentile of |x_0|, where that exceeds 1. Ref: Saharia et al. 2022 (Imagen), §2.3."""
    return techniques.DynamicThreshold(denoiser, percentile)


@node(category="editing", words=("mask inpainter", "inpainting", "edit"))
def mask_inpainter(denoiser: Denoiser[Image], image: Image, mask: Mask) -> Denoiser[Image]:
    """The known pixels (mask 1) of a picture re-imposed on x_0 at each step; both are resized to the network's size.

    Needs no training of its own. Ref: Nichol et al. 2022 (GLIDE), §2.5.
    """
    size = denoiser.sample_shape[-2:]
    known = torch.nn.functional.interpolate(image, size, mode="bilinear", antialias=True)
    weight = torch.nn.functional.interpolate(mask, size, mode="bilinear", antialias=True)
    return techniques.MaskInpainter(denoiser, known, weight.clamp(0, 1))
