"""Nodes that make denoisers of networks, and those that hold x_0 in bounds."""

from dataclasses import replace
from typing import Annotated

import torch
from torch import Tensor

from nodegraph import Doc, Mismatch, Range, node
from nodes.diffusion import techniques
from nodes.diffusion.denoisers import Denoiser, Leaf, Reuse, over_leaves
from nodes.diffusion.masks import fitted, wholly_known
from nodes.library.rows import at_port
from nodes.models.unet import UNet
from nodes.networks.unet.network import masked, upsampled
from nodes.rows import level
from nodes.target import FixedVariance
from nodes.training.networks import PointModel
from nodes.wires.conditions import Condition
from nodes.wires.generic import X
from nodes.wires.pictures import Image
from nodes.wires.tensors import Signal

MAKERS = {
    "text": "text_encoder",
    "unclip": "unclip_conditions",
    "label": "label",
    "low_resolution": "low_resolution",
    "known_pixels": "known_pixels",
}


@node(words=("UNet denoiser", "model", "ADM", "unconditional"), rows=("conditions",))
def unet_denoiser(model: UNet, conditions: list[Condition] = []) -> Denoiser[Image]:  # noqa: B006
    """A UNet as a denoiser: its prediction of x_0 at (x_t, t) under its conditions (none for an unconditional network).

    Raises Mismatch when the network takes other conditions, a text was encoded by another network, or there is no such class.
    """
    given = {c.kind: c for c in conditions}
    if len(given) < len(conditions):
        raise Mismatch(
            "two conditions of one kind", port="conditions", hint="wire one of each kind"
        )
    _check_kinds(model, given)
    tensors: dict[str, Tensor | None] = {"pixels": _beside(model, given)}
    tensors |= _said([given[kind] for kind in ("text", "unclip") if kind in given])
    if label := given.get("label"):
        tensors["labels"] = class_numbers(label, model.config.classes or 0, model.name)
    there = {name: value.to(model.device) for name, value in tensors.items() if value is not None}
    return Leaf(model.diffusion, there)


def _said(conditions: list[Condition]) -> dict[str, Tensor | None]:
    """Conditions that speak in tokens as one: embeddings [R, E] added, tokens [R, L, W] behind each other, with their mask."""
    if len(conditions) < 2:
        return {n: getattr(c, n) for c in conditions for n in ("embedding", "tokens", "mask")}
    embeddings = [c.embedding for c in conditions if c.embedding is not None]
    tokens = [c.tokens for c in conditions if c.tokens is not None]
    masks = [_where(c.tokens, c.mask) for c in conditions if c.tokens is not None]
    words = "a text and embeddings"
    with at_port("conditions"):
        return {
            "embedding": torch.stack(level(*embeddings, what=words)).sum(0),
            "tokens": torch.cat(level(*tokens, what=words), 1),
            "mask": torch.cat(level(*masks, what=words), 1),
        }


def _where(tokens: Tensor, mask: Tensor | None) -> Tensor:
    """Where there are tokens, [R, L]."""
    return tokens.new_ones(tokens.shape[:2], dtype=torch.bool) if mask is None else mask


def _check_kinds(model: UNet, given: dict[str, Condition]) -> None:
    config = model.config
    wants = {
        "text": config.text is not None,
        "unclip": config.clip is not None,
        "label": config.classes is not None,
        "low_resolution": config.low_resolution,
        "known_pixels": config.known_pixels,
    }
    for kind, wanted in wants.items():
        word = kind.replace("_", "-")
        if wanted and kind not in given:
            raise Mismatch(
                f"'{model.name}' wants a {word} condition",
                port="conditions",
                hint=f"wire a {MAKERS[kind]}",
            )
        if kind in given and not wanted:
            raise Mismatch(f"'{model.name}' takes no {word} condition", port="conditions")
    for kind, verb in (("text", "encoded"), ("unclip", "made")):
        if kind in given and given[kind].made_by != model.identity:
            word = "text" if kind == "text" else "unCLIP condition"
            raise Mismatch(
                f"the {word} was {verb} by another network than {model.called}",
                port="conditions",
                hint=f"wire a {MAKERS[kind]} with the same model",
            )


def class_numbers(label: Condition, classes: int, name: str, port: str = "conditions") -> Tensor:
    """The numbers of a label [R]. Raises Mismatch for another kind of condition, or a class that the model `name` has not."""
    if label.labels is None:
        raise Mismatch(f"a {label.kind} condition is no class", port=port, hint="wire a label")
    lowest, highest = int(label.labels.min()), int(label.labels.max())
    if label.made_by == "shapes" and classes > 65:
        raise Mismatch(
            f"'{name}' does not know the classes of the shapes world",
            port=port,
            hint="give the number of the class",
        )
    if lowest < 0 or highest >= classes:
        stranger = lowest if lowest < 0 else highest
        message = f"'{name}' has {classes} classes, there is no number {stranger}"
        raise Mismatch(message, port=port, hint=f"give one from 0 to {classes - 1}")
    return label.labels


def _beside(model: UNet, given: dict[str, Condition]) -> Tensor | None:
    """What stands beside x_t, [R, K, H, W]: known pixels with their mask, then the low-resolution picture."""
    size = model.config.image_size
    parts: list[Tensor] = []
    if (known := given.get("known_pixels")) and known.pixels is not None:
        image, mask = fitted(known.pixels[:, :-1], known.pixels[:, -1:], (size, size))
        parts.append(masked(image, wholly_known(mask)))
    if (small := given.get("low_resolution")) and small.pixels is not None:
        parts.append(upsampled(small.pixels, size, model.config.low_resolution_as))
    if not parts:
        return None
    with at_port("conditions"):
        return torch.cat(level(*parts, what="known pixels and small pictures"), 1)


@node(words=("threshold",), rows=("denoiser",))
def clip_x0(
    denoiser: Denoiser[X],
    low: Annotated[float | None, Doc("Empty: as the network was trained, −1 for pictures.")] = None,
    high: Annotated[float | None, Doc("Empty: as the network was trained, 1 for pictures.")] = None,
) -> Denoiser[X]:
    """x_0 within [low, high]. Goes outside guidance, whose result would leave the range again."""
    low = -denoiser.x0_bound if low is None else low
    high = denoiser.x0_bound if high is None else high
    if low >= high:
        raise Mismatch(f"low ({low}) must be below high ({high})", port="low")
    return techniques.ClipX0(denoiser, low, high)


@node(words=("threshold", "imagen"), rows=("denoiser",))
def dynamic_threshold(
    denoiser: Denoiser[X], percentile: Annotated[float, Range(0, 1)] = 0.995
) -> Denoiser[X]:
    """x_0 divided by the percentile of |x_0|, where that exceeds 1. Ref: Saharia et al. 2022 (Imagen), §2.3.

    Raises Mismatch around known pixels, which it would change, and around `clip_x0`, after which it has no effect.
    """
    if "pixels" in denoiser.settled:
        raise Mismatch(
            "known pixels are imposed on x_0 already, and a threshold would scale them",
            port="denoiser",
            hint="wire the mask around the threshold",
        )
    if "range" in denoiser.settled:
        raise Mismatch(
            "x_0 is held within a range already: there is nothing left to scale",
            port="denoiser",
            hint="leave one of the two out",
        )
    return techniques.DynamicThreshold(denoiser, percentile)


@node(words=("learned variance", "sigma", "beta"), rows=("denoiser",))
def fixed_variance(
    denoiser: Denoiser[X],
    kind: Annotated[
        FixedVariance, Doc("β̃ (small; log: clipped at 1e-20) or β (large) of the schedule.")
    ] = "fixed_small",
) -> Denoiser[X]:
    """The same prediction with a variance that the schedule gives, in place of the network's own.

    Ancestral sampling reads it, and guides move its mean by it; the other samplers have none. Ref: Ho et al. 2020, §3.2;
    Nichol & Dhariwal 2021, §3.1.
    """
    return techniques.WithFixedVariance(denoiser, kind)


@node(words=("DeepCache", "faster", "speed"), rows=("denoiser",))
def feature_reuse(
    denoiser: Denoiser[X],
    every: Annotated[int, Range(1, 100), Doc("One step in so many runs the whole UNet.")] = 2,
    outer: Annotated[
        int,
        Range(1, 100),
        Doc("Stages that the other steps run, on the way down and on the way up."),
    ] = 2,
) -> Denoiser[X]:
    """Deep features of every UNet inside kept from step to step: between whole calls only its outermost stages run.

    Each branch of a guidance keeps its own, and each run begins anew. For many steps, of which neighbours are alike; around
    everything else, so that all branches are meant. Raises Mismatch for a network that is no UNet, or has no more than `outer`
    stages, or keeps features already. Ref: Ma et al. 2024 (DeepCache), §3.
    """
    for leaf in denoiser.leaves:
        stages = leaf.network.stages
        if not stages:
            raise Mismatch("there is no UNet inside whose features could be kept", port="denoiser")
        if leaf.reuse is not None:
            raise Mismatch("features are kept already", port="denoiser", hint="leave one out")
        if outer >= stages:
            raise Mismatch(f"the UNet has {stages} stages: none is left inside", port="outer")
    return over_leaves(denoiser, lambda leaf: replace(leaf, reuse=Reuse(every, outer)))


@node(words=("toy",))
def point_denoiser(model: PointModel) -> Denoiser[Signal]:
    """A network of points [B, D] as a denoiser."""
    return Leaf(model.diffusion)
