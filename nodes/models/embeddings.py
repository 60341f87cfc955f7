"""What CLIP makes of texts and pictures, on wires: it knows of which CLIP's joint space it is."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from nodegraph.errors import Mismatch
from nodegraph.types import PortType
from nodes.diffusion.pca import Pca

FILE = "embedding.safetensors"


@dataclass(frozen=True, slots=True)
class Embedding:
    """Points `values` [B, D] of CLIP's joint space, of the length that CLIP gives them; `space` is the name of that space."""

    values: Tensor
    space: str = ""

    def to(self, device: str) -> "Embedding":
        """The same on a device."""
        return Embedding(self.values.to(device), self.space)


@dataclass(frozen=True, slots=True)
class ClipTokens:
    """What CLIP's text tower gives at every token: `values` [B, L, W], `mask` [B, L], True = a token; `space` as above."""

    values: Tensor
    mask: Tensor
    space: str = ""

    def to(self, device: str) -> "ClipTokens":
        """The same on a device."""
        return ClipTokens(self.values.to(device), self.mask.to(device), self.space)


def same_space(wanted: str, given: Embedding | ClipTokens | Pca, owner: str, port: str) -> None:
    """Raises Mismatch where both name a space, and not the same."""
    if wanted and given.space and wanted != given.space:
        raise Mismatch(
            f"{owner} is of the CLIP '{wanted}', what is wired comes from '{given.space}'",
            port=port,
            hint="wire what the same CLIP made",
        )


def _dump(value: Embedding, folder: Path) -> None:
    tensors = {"values": value.values.contiguous().cpu()}
    save_file(tensors, folder / FILE, metadata={"space": value.space})


def _load(folder: Path) -> Embedding:
    with safe_open(folder / FILE, "pt") as file:
        return Embedding(file.get_tensor("values"), file.metadata()["space"])


def _dump_tokens(value: ClipTokens, folder: Path) -> None:
    tensors = {"values": value.values.contiguous().cpu(), "mask": value.mask.contiguous().cpu()}
    save_file(tensors, folder / FILE, metadata={"space": value.space})


def _load_tokens(folder: Path) -> ClipTokens:
    with safe_open(folder / FILE, "pt") as file:
        tensors = (file.get_tensor("values"), file.get_tensor("mask"))
        return ClipTokens(*tensors, file.metadata()["space"])


def _describe(value: Embedding | ClipTokens) -> str:
    return f"{list(value.values.shape)} of {value.space or 'an unnamed CLIP'}"


def _check(value: Embedding) -> str | None:
    return None if _is_float(value.values, 2) else "float32 [B, D]"


def _check_tokens(value: ClipTokens) -> str | None:
    fits = _is_float(value.values, 3) and value.mask.shape == value.values.shape[:2]
    return (
        None if fits and value.mask.dtype is torch.bool else "float32 [B, L, W], mask bool [B, L]"
    )


def _is_float(value: object, rank: int) -> bool:
    return isinstance(value, Tensor) and value.dim() == rank and value.dtype is torch.float32


ClipText = Annotated[
    Embedding,
    PortType(
        "ClipText",
        "CLIP embeddings of texts, float32 [B, D].",
        colour="#fde047",
        dump=_dump,
        load=_load,
        describe=_describe,
        check=_check,
    ),
]
ClipImage = Annotated[
    Embedding,
    PortType(
        "ClipImage",
        "CLIP embeddings of pictures, float32 [B, D].",
        colour="#34d399",
        dump=_dump,
        load=_load,
        describe=_describe,
        check=_check,
    ),
]
CLIP_TOKENS = PortType(
    "ClipTokens",
    "What CLIP's text tower gives at every token, float32 [B, L, W], with a mask.",
    colour="#fdba74",
    dump=_dump_tokens,
    load=_load_tokens,
    describe=_describe,
    check=_check_tokens,
)
