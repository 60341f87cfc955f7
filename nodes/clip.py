"""Nodes that read texts and pictures by a CLIP."""

from typing import Annotated, NamedTuple

import torch

from nodegraph import Doc, Mismatch, node
from nodes.models.embeddings import Embedding, same_space
from nodes.types import PORT_TYPES as PORT_TYPES
from nodes.types import ClipImage, ClipText, ClipTokens, Image, OpenClip, Text


class ReadText(NamedTuple):
    """`embedding` [R, D], `tokens` [R, L, W]."""

    embedding: ClipText
    tokens: ClipTokens


@node(category="CLIP", words=("text encoder", "prompt", "open_clip"))
def clip_text(
    clip: OpenClip, text: Annotated[Text | list[Text], Doc("Several give a row each.")]
) -> ReadText:
    """Texts as CLIP reads them: embeddings, of the length that CLIP gives them, and the states of their tokens.

    Raises Mismatch for a CLIP without a text tower. Ref: Radford et al. 2021.
    """
    return ReadText(*clip.read([text] if isinstance(text, str) else text))


@node(category="CLIP", words=("image encoder", "open_clip"))
def clip_image(clip: OpenClip, image: Image) -> ClipImage:
    """Pictures [B, 3, H, W] as CLIP sees them: the embedding of the middle square, of the length that CLIP gives it.

    Raises Mismatch for a CLIP without an image tower. Ref: Radford et al. 2021.
    """
    return clip.see(image)


@node(category="CLIP", words=("zero-shot", "ablation"))
def text_as_image(embedding: ClipText) -> ClipImage:
    """A text embedding in the place of an image embedding, as it is. Ref: Ramesh et al. 2022, §5.1."""
    return embedding


@node(category="CLIP", words=("rerank", "best of n"))
def best_candidate(candidates: ClipImage, text: ClipText) -> ClipImage:
    """Of the candidates for each text, the one that agrees best with it: R·n rows and R texts → R rows.

    Raises Mismatch for embeddings of two CLIPs, or rows that cannot be shared out. Ref: Ramesh et al. 2022, §2.2.
    """
    same_space(candidates.space, text, "the candidates' space", "text")
    rows = len(text.values)
    if len(candidates.values) % rows:
        raise Mismatch(
            f"{len(candidates.values)} candidates cannot be shared out over {rows} texts",
            port="text",
        )
    grouped = candidates.values.unflatten(0, (rows, -1))  # [R, n, D]
    agreement = torch.einsum("rnd,rd->rn", grouped, text.values.to(grouped.dtype))
    best = agreement.argmax(1)[:, None, None].expand(-1, 1, grouped.shape[2])
    return Embedding(grouped.gather(1, best)[:, 0], candidates.space)
