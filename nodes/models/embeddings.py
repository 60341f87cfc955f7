"""What CLIP makes of texts and pictures, which knows of which CLIP's joint space it is."""

from dataclasses import dataclass

from torch import Tensor

from nodegraph.base.diagnostics import Mismatch
from nodes.measures.pca import Pca
from nodes.tensors import Tensors


@dataclass(frozen=True, slots=True)
class Embedding(Tensors):
    """Points `values` [B, D] of CLIP's joint space, of the length that CLIP gives them; `space` is the name of that space."""

    values: Tensor
    space: str = ""


@dataclass(frozen=True, slots=True)
class ClipTokens(Tensors):
    """What CLIP's text tower gives at every token: `values` [B, L, W], `mask` [B, L], True = a token; `space` as above."""

    values: Tensor
    mask: Tensor
    space: str = ""


def same_space(wanted: str, given: Embedding | ClipTokens | Pca, owner: str, port: str) -> None:
    """Raises Mismatch where both name a space, and not the same."""
    if wanted and given.space and wanted != given.space:
        raise Mismatch(
            f"{owner} is of the CLIP '{wanted}', what is wired comes from '{given.space}'",
            port=port,
            hint="wire what the same CLIP made",
        )
