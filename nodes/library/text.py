"""Nodes that read text."""

from typing import Annotated

from nodegraph import Doc, node
from nodes.models.unet import UNet
from nodes.wires.conditions import Condition
from nodes.wires.scalars import Text


@node(words=("prompt", "caption", "text encoder"), rows=("text",))
def text_encoder(
    model: UNet,
    text: Annotated[
        Text | list[Text],
        Doc("What to draw; empty for the unconditional branch; several give a row each."),
    ],
) -> Condition:
    """Texts encoded by the network's own transformer: pooled [R, E] and tokens [R, L, W].

    Raises Mismatch for a network without a text transformer. Ref: Nichol et al. 2022 (GLIDE), §3.
    """
    texts = [text] if isinstance(text, str) else text
    pooled, tokens = model.encode(texts)
    model.warn_of_left_out(texts)
    return Condition("text", embedding=pooled, tokens=tokens, made_by=model.identity)
