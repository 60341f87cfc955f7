"""Nodes that make conditions of pictures."""

from dataclasses import replace

import torch

from nodegraph import node
from nodes.types import PORT_TYPES as PORT_TYPES
from nodes.types import Condition, Image


@node(category="conditions", words=("super resolution", "upsampling"))
def low_resolution(image: Image) -> Condition:
    """A low-resolution picture [B, 3, h, w] in [−1, 1] for an upsampling network, rounded to 256 levels as it was in training.

    Ref: Nichol et al. 2022 (GLIDE), §3.
    """
    levels = image.clamp(-1, 1).add(1).mul(127.5).round()
    return Condition("low_resolution", pixels=levels.div(127.5).sub(1))


def joined(conditions: list[Condition]) -> Condition:
    """Conditions of one kind and maker as the rows of one."""
    first = conditions[0]
    parts = {
        name: torch.cat([getattr(c, name) for c in conditions])
        for name in ("embedding", "tokens", "pixels")
        if getattr(first, name) is not None
    }
    return replace(first, **parts)
