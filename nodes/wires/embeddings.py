"""What CLIP makes of texts and pictures, on the wires, and the principal components of its embeddings."""

from dataclasses import fields
from pathlib import Path
from typing import Annotated

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from nodegraph.library.port import PortType
from nodes.measures.pca import Pca
from nodes.models.embeddings import ClipTokens, Embedding

FILE = "embedding.safetensors"
PCA_FILE = "pca.safetensors"
PCA_TENSORS = tuple(f.name for f in fields(Pca) if f.type is Tensor)


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


def _dump_pca(value: Pca, folder: Path) -> None:
    tensors = {name: getattr(value, name).contiguous().cpu() for name in PCA_TENSORS}
    save_file(tensors, folder / PCA_FILE, metadata={"space": value.space})


def _load_pca(folder: Path) -> Pca:
    with safe_open(folder / PCA_FILE, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in PCA_TENSORS}
        return Pca(**tensors, space=file.metadata()["space"])


def _describe_pca(value: Pca) -> str:
    count, width = value.components.shape
    share = "" if value.kept.is_meta else f", {float(value.kept):.1%} of the variance"
    return f"{count} components of {width}{share}, of {value.space or 'an unnamed CLIP'}"


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
PORT_TYPES: dict[type, PortType] = {
    ClipTokens: PortType(
        "ClipTokens",
        "What CLIP's text tower gives at every token, float32 [B, L, W], with a mask.",
        colour="#fdba74",
        dump=_dump_tokens,
        load=_load_tokens,
        describe=_describe,
        check=_check_tokens,
    ),
    Pca: PortType(
        "Pca",
        "Principal components of CLIP embeddings: their mean, directions and ranges.",
        colour="#5eead4",
        shape="diamond",
        dump=_dump_pca,
        load=_load_pca,
        describe=_describe_pca,
    ),
}
