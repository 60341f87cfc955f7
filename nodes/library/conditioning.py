"""Nodes that make conditions: classes, pictures and embeddings."""

from dataclasses import replace
from typing import Annotated

import torch
from torch import Tensor

from nodegraph import Doc, Mismatch, Range, node
from nodegraph.base.diagnostics import nearest
from nodes.diffusion.masks import resampled
from nodes.library.clip import clip_text
from nodes.library.rows import at_port
from nodes.library.text import text_encoder
from nodes.models.clip import Clip
from nodes.models.embeddings import ClipTokens, same_space
from nodes.models.unet import UNet
from nodes.networks.config import ClipConditionConfig
from nodes.rows import level
from nodes.shapes.vocabulary import CLASSES
from nodes.wires.conditions import Condition
from nodes.wires.embeddings import ClipImage, ClipText
from nodes.wires.masks import Mask
from nodes.wires.pictures import Image
from nodes.wires.scalars import Label, Text

NO_CLASS = len(CLASSES)
"""What networks of the shapes world are told where no class is wanted."""
MOST = 99_999


@node(words=("class", "ImageNet", "ADM"), rows=("index",))
def label(
    index: Annotated[
        list[Label],
        Range(0, MOST),
        Doc("A number, or a class of the shapes world such as red circle; empty: no class."),
    ],
) -> Condition:
    """A class as its number, [R] for R of them. The networks of the shapes world know 64, colour · 8 + shape, and 64 for none.

    Raises Mismatch for a name that is no class.
    """
    named = any(not isinstance(i, int) and not i.strip().isdecimal() for i in index)
    numbers = torch.tensor([_number(i) for i in index])
    return Condition("label", labels=numbers, made_by="shapes" if named else "")


def _number(index: int | str) -> int:
    if isinstance(index, int) or index.strip().isdecimal():
        return int(index)
    name = " ".join(index.lower().split())
    if not name:
        return NO_CLASS
    if name not in CLASSES:
        hint = nearest(name, CLASSES) or "give its number, or a colour and a shape"
        raise Mismatch(f"there is no class '{index}'", port="index", hint=hint)
    return CLASSES.index(name)


@node(words=("super resolution", "upsampling"), rows=("image",))
def low_resolution(image: Image) -> Condition:
    """A low-resolution picture [B, 3, h, w] in [−1, 1] for an upsampling network, which resizes it to its own resolution.

    Ref: Nichol et al. 2022 (GLIDE), §3.
    """
    return Condition("low_resolution", pixels=image.clamp(-1, 1))


@node(words=("unCLIP", "DALL·E 2", "Karlo", "null embedding"), rows=("image", "text", "embedding"))
def unclip_conditions(
    model: UNet,
    image: Annotated[ClipImage | None, Doc("Without one: the learned null embedding.")] = None,
    text: Annotated[
        ClipTokens | None, Doc("The tokens of a text, where the decoder reads any.")
    ] = None,
    embedding: Annotated[ClipText | None, Doc("The embedding of the same text.")] = None,
) -> Condition:
    """CLIP embeddings for an unCLIP decoder: extra context tokens beside those of the text, and a part of the time embedding.

    Raises Mismatch for a network that takes none, a missing text, or embeddings of another CLIP. Ref: Ramesh et al. 2022, §2.1.
    """
    config = _takes_embeddings(model)
    for port, given in (("image", image), ("text", text), ("embedding", embedding)):
        if given is not None:
            same_space(config.space, given, f"the decoder '{model.name}'", port)
    if config.text_width is not None and (text is None or embedding is None):
        raise Mismatch(
            f"'{model.name}' reads a text beside the embedding",
            port="embedding" if embedding is None else "text",
            hint="wire both outputs of a clip_text, of an empty text where none is meant",
        )
    made = model.read_clip(image, text, embedding)
    parts = made.embedding.float(), made.tokens.float()
    return Condition("unclip", *parts, mask=made.mask, made_by=model.identity)


@node(words=("unCLIP", "DALL·E 2", "Karlo"), rows=("image", "text"))
def decoder_conditions(
    model: UNet,
    clip: Annotated[
        Clip, Doc("The CLIP of the embedding; some decoders use its text encoder too.")
    ],
    image: Annotated[ClipImage | None, Doc("Without one: the learned null embedding.")] = None,
    text: Annotated[Text | list[Text], Doc("A caption, for what the embedding leaves open.")] = "",
) -> list[Condition]:
    """The conditions of an unCLIP decoder: an image embedding, and a text encoded by its own transformer, by CLIP's, or both.

    Raises Mismatch as `unclip_conditions`. Ref: Ramesh et al. 2022, §2.1 (its own); Karlo (CLIP's).
    """
    own = [] if model.config.text is None else [text_encoder(model, text)]
    reads = clip_text(clip, text) if _takes_embeddings(model).text_width is not None else None
    words = (None, None) if reads is None else (reads.tokens, reads.embedding)
    return [*own, unclip_conditions(model, image, *words)]


def _takes_embeddings(model: UNet) -> ClipConditionConfig:
    if model.config.clip is None:
        raise Mismatch(f"'{model.name}' takes no CLIP embeddings", port="model")
    return model.config.clip


@node(words=("inpainting", "edit", "mask"), rows=("image", "mask"))
def known_pixels(image: Image, mask: Mask) -> Condition:
    """The known pixels of a picture (mask 1) and the mask, for a network fine-tuned for inpainting.

    The mask may have another resolution. Raises Mismatch where pictures and masks differ in number.
    Ref: Nichol et al. 2022 (GLIDE), §2.5.
    """
    height, width = image.shape[-2:]
    with at_port("mask"):
        both = level(image, resampled(mask, (height, width)), what="pictures and masks")
    return Condition("known_pixels", pixels=torch.cat(both, 1))


@node(words=("super resolution", "upsampling"), rows=("image", "text", "known", "mask"))
def upsampler_conditions(
    model: UNet,
    image: Annotated[Image, Doc("The pictures to upsample.")],
    text: Annotated[
        Text | list[Text], Doc("A caption, for a text-conditional network; several: one a picture.")
    ] = "",
    known: Annotated[Image | None, Doc("A large picture of which pixels are known.")] = None,
    mask: Annotated[Mask | None, Doc("1 = known.")] = None,
) -> list[Condition]:
    """The conditions of an upsampling network: the small picture, a text where it takes one, known pixels if it inpaints.

    An inpainting network without a known picture gets a mask of zeros.
    """
    found = [low_resolution(image)]
    if model.config.text is not None:
        found.append(text_encoder(model, text))
    if model.config.known_pixels:
        picture = image if known is None else known
        nothing = torch.zeros_like(picture[:, :1])
        found.append(known_pixels(picture, nothing if known is None else _required(mask)))
    return found


def _required(mask: Tensor | None) -> Tensor:
    if mask is None:
        raise Mismatch("a known picture needs a mask", port="mask", hint="wire a mask, 1 = known")
    return mask


def joined(conditions: list[Condition]) -> Condition:
    """Conditions of one kind and maker as the rows of one."""
    first = conditions[0]
    parts = {n: torch.cat([getattr(c, n) for c in conditions]) for n in first.tensors()}
    return replace(first, **parts)
