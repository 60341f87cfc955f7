"""Conditions on the wires: what a network is told beside x_t."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from nodegraph.library.port import PortType
from nodes.wires.arrays import TENSOR_FILE


@dataclass(frozen=True, slots=True)
class Condition:
    """What a network is told beside x_t: `embedding` [R, E], `tokens` [R, L, W], a picture in `pixels` [R, C, H, W] (of known
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

    def to(self, device: str) -> "Condition":
        """The same on a device."""
        held = {n: t for n in CONDITION_TENSORS if (t := getattr(self, n)) is not None}
        return replace(self, **{name: tensor.to(device) for name, tensor in held.items()})


CONDITION_TENSORS = ("embedding", "tokens", "pixels", "labels", "mask")


def _dump_condition(value: Condition, folder: Path) -> None:
    found = {
        n: t.contiguous().cpu() for n in CONDITION_TENSORS if (t := getattr(value, n)) is not None
    }
    save_file(found, folder / TENSOR_FILE, metadata={"kind": value.kind, "made_by": value.made_by})


def _load_condition(folder: Path) -> Condition:
    with safe_open(folder / TENSOR_FILE, "pt") as file:
        meta = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return Condition(meta["kind"], made_by=meta["made_by"], **tensors)


def _describe_condition(value: Condition) -> str:
    found = (
        f"{n} {list(t.shape)}" for n in CONDITION_TENSORS if (t := getattr(value, n)) is not None
    )
    return f"{value.kind}: {', '.join(found)}"


def _check_condition(value: Condition) -> str | None:
    """Nothing but tensors, all of one number of rows, labels whole numbers."""
    parts = [t for n in CONDITION_TENSORS if (t := getattr(value, n)) is not None]
    if not all(isinstance(part, Tensor) and part.dim() for part in parts):
        return "tensors [R, …]"
    if len({len(part) for part in parts}) > 1:
        return "tensors of one number of rows"
    whole = value.labels is None or value.labels.dtype is torch.int64
    return None if whole else "labels int64 [R]"


PORT_TYPES: dict[type, PortType] = {
    Condition: PortType(
        "Condition",
        "What a network is told beside x_t: a text, a class, a low-resolution picture, known pixels.",
        colour="#fb923c",
        dump=_dump_condition,
        load=_load_condition,
        describe=_describe_condition,
        check=_check_condition,
    ),
}
