"""Conditions on the wires: what a network takes beside x_t."""

from dataclasses import dataclass, fields
from typing import Literal

import torch
from torch import Tensor

from nodegraph.library.port import PortType
from nodes.tensors import Tensors
from nodes.wires.arrays import TENSOR_FILE
from nodes.wires.stored import stored


@dataclass(frozen=True, slots=True)
class Condition(Tensors):
    """What a network takes beside x_t: `embedding` [R, E], `tokens` [R, L, W], a picture in `pixels` [R, C, H, W] (of known
    pixels with their mask behind), or class `labels` int64 [R].

    `mask` [R, L]: where there are tokens. `made_by`: whose language it is. The digest of the network whose transformer encoded
    a text, or whose projections read CLIP's embeddings: its encodings mean nothing to another; `shapes` for a label that was
    given by its name in the shapes world.
    """

    kind: Literal["text", "unclip", "low_resolution", "label", "known_pixels"]
    embedding: Tensor | None = None
    tokens: Tensor | None = None
    pixels: Tensor | None = None
    labels: Tensor | None = None
    mask: Tensor | None = None
    made_by: str = ""


def _describe_condition(value: Condition) -> str:
    found = (f"{name} {list(tensor.shape)}" for name, tensor in value.tensors().items())
    return f"{value.kind}: {', '.join(found)}"


def _check_condition(value: Condition) -> str | None:
    """Nothing but tensors, all of one number of rows, labels whole numbers."""
    names = {f.name for f in fields(value)} - {"kind", "made_by"}
    parts = [part for name in names if (part := getattr(value, name)) is not None]
    if not all(isinstance(part, Tensor) and part.dim() for part in parts):
        return "tensors [R, …]"
    if len({len(part) for part in parts}) > 1:
        return "tensors of one number of rows"
    whole = value.labels is None or value.labels.dtype is torch.int64
    return None if whole else "labels int64 [R]"


PORT_TYPES: dict[type, PortType] = {
    Condition: PortType(
        "Condition",
        "What a network takes beside x_t: a text, a class, a low-resolution picture, known pixels.",
        colour="#fb923c",
        **stored(Condition, TENSOR_FILE),
        describe=_describe_condition,
        check=_check_condition,
    ),
}
