"""Nodes that take embeddings apart into principal components, and put them together again."""

from typing import Annotated

import torch

from nodegraph import Doc, Mismatch, Range, node
from nodes.diffusion import pca as pca_of
from nodes.diffusion.pca import Pca
from nodes.models.embeddings import Embedding, same_space
from nodes.wires.embeddings import ClipImage
from nodes.wires.tensors import Signal

Kept = Annotated[
    int | list[int] | None,
    Range(0),
    Doc("How many, from the first; a list gives that many results for each row; none given: all."),
]


@node(category="embeddings", words=("principal components", "PCA", "dimensionality"))
def pca_fit(
    embeddings: Annotated[ClipImage, Doc("Of many pictures, thousands rather than hundreds.")],
    components: Annotated[int, Range(1)] = 32,
) -> Pca:
    """The directions in which embeddings [N, D] vary most, by decreasing eigenvalue, and the range along each.

    Raises Mismatch for more components than D, or than N − 1. Ref: Ramesh et al. 2022, §2.2 (319 of 1,024).
    """
    try:
        return pca_of.fit_pca(embeddings.values, components, embeddings.space)
    except ValueError as error:
        raise Mismatch(str(error), port="components") from None


@node(category="embeddings", words=("principal components", "PCA", "coefficients"))
def pca_project(pca: Pca, embeddings: ClipImage) -> Signal:
    """Coefficients [B, K] of embeddings [B, D] along the components.

    Raises Mismatch for embeddings of another CLIP, or of another width.
    """
    same_space(pca.space, embeddings, "the components' space", "embeddings")
    width = pca.mean.shape[1]
    if embeddings.values.shape[1] != width:
        raise Mismatch(
            f"the components are of embeddings {width} wide, not {embeddings.values.shape[1]}",
            port="embeddings",
        )
    return pca_of.project(pca, embeddings.values)


@node(category="embeddings", words=("principal components", "PCA", "probe"))
def pca_reconstruct(pca: Pca, coefficients: Signal, components: Kept = None) -> ClipImage:
    """Embeddings [B, D] from the first so many of coefficients [B, K]; T numbers on B rows give B·T, 0 gives the mean.

    Raises Mismatch for more components than there are. Ref: Ramesh et al. 2022, fig. 7.
    """
    most = len(pca.components)
    if coefficients.shape[1:] != (most,):
        raise Mismatch(
            f"coefficients are [B, {most}], not {list(coefficients.shape)}", port="coefficients"
        )
    counts = components if isinstance(components, list) else [components]
    counts = [most if count is None else count for count in counts]
    if max(counts, default=0) > most:
        raise Mismatch(f"{max(counts)} components of {most}", port="components")
    each = [pca_of.reconstruct(pca, coefficients, count) for count in counts]
    return Embedding(torch.stack(each, 1).flatten(0, 1), pca.space)
