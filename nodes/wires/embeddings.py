"""What CLIP makes of texts and pictures, on the wires, and the principal components of its embeddings."""

from typing import Annotated

import torch
from torch import Tensor

from nodegraph.library.port import PortType
from nodes.measures.pca import Pca
from nodes.models.embeddings import ClipTokens, Embedding
from nodes.wires.stored import stored

FILE = "embedding.safetensors"


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
        **stored(Embedding, FILE),
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
        **stored(Embedding, FILE),
        describe=_describe,
        check=_check,
    ),
]
PORT_TYPES: dict[type, PortType] = {
    ClipTokens: PortType(
        "ClipTokens",
        "What CLIP's text tower gives at every token, float32 [B, L, W], with a mask.",
        colour="#fdba74",
        **stored(ClipTokens, FILE),
        describe=_describe,
        check=_check_tokens,
    ),
    Pca: PortType(
        "Pca",
        "Principal components of CLIP embeddings: their mean, directions and ranges.",
        colour="#5eead4",
        shape="diamond",
        **stored(Pca, "pca.safetensors"),
        describe=_describe_pca,
    ),
}
