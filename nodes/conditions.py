"""Nodes that make conditions of pictures."""

from dataclasses import replace
from typing import Annotated

import torch

from nodegraph import Doc, Mismatch, node
from nodes.models.embeddings import same_space
from nodes.networks.config import ClipConditionConfig
from nodes.types import PORT_TYPES as PORT_TYPES
from nodes.types import ClipImage, ClipText, ClipTokens, Condition, Image, UNet


@node(category="conditions", words=("super resolution", "upsampling"))
def low_resolution(image: Image) -> Condition:
    """A low-resolution picture [B, 3, h, w] in [−1, 1] for an upsampling network, which brings it to its size.

    Ref: Nichol et al. 2022 (GLIDE), §3.
    """
    return Condition("low_resolution", pixels=image.clamp(-1, 1))


@node(category="conditions", words=("unCLIP", "DALL·E 2", "Karlo", "null embedding"))
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
    return Condition("unclip", *parts, mask=made.mask, made_by=model.digest)


def _takes_embeddings(model: UNet) -> ClipConditionConfig:
    if model.config.clip is None:
        raise Mismatch(f"'{model.name}' takes no CLIP embeddings", port="model")
    return model.config.clip


def joined(conditions: list[Condition]) -> Condition:
    """Conditions of one kind and maker as the rows of one."""
    first = conditions[0]
    parts = {
        name: torch.cat([getattr(c, name) for c in conditions])
        for name in ("embedding", "tokens", "pixels", "mask")
        if getattr(first, name) is not None
    }
    return replace(first, **parts)
