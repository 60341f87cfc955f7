"""Nodes that ask a CLIP how well pictures fit their texts."""

from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor

from nodegraph import Doc, Mismatch, Range, node
from nodes.models.open_clip import OpenClip
from nodes.wires.pictures import Image
from nodes.wires.scalars import Text
from nodes.wires.tables import Table

Texts = Annotated[Text | list[Text], Doc("One for all pictures, or one for each stretch of them.")]
SCORE = ("picture", "text", "cosine")


def _abstract_score(clip: OpenClip, image: Image, text: str | list[str]) -> Table:
    _agreement(clip, image, text)
    return Table(SCORE, ())


@node(category="CLIP", words=("similarity", "CLIPScore", "agreement"), abstract=_abstract_score)
def clip_score(clip: OpenClip, image: Image, text: Texts) -> Table:
    """The cosine of each picture's embedding with that of its text, in [−1, 1], one row each; R texts for R·n pictures.

    Raises Mismatch for pictures that cannot be shared out. Ref: Hessel et al. 2021, without its factor 2.5.
    """
    texts = [text] if isinstance(text, str) else text
    agreement = _agreement(clip, image, texts)  # [R, n]
    named = (texts[i // agreement.shape[1]] for i in range(agreement.numel()))
    cosines = enumerate(zip(named, agreement.flatten().tolist(), strict=True))
    return Table(SCORE, tuple((i, name, round(cosine, 6)) for i, (name, cosine) in cosines))


@node(category="CLIP", words=("best of n", "DALL·E", "choose", "select"))
def clip_rerank(
    clip: OpenClip,
    image: Image,
    text: Texts,
    keep: Annotated[int, Range(1, 4096), Doc("How many pictures are kept for each text.")] = 1,
) -> Image:
    """Of the pictures for each text those that fit it best, the best first: R·n pictures of R texts → R·keep.

    Raises Mismatch for pictures that cannot be shared out, or when fewer than `keep` are there.
    Ref: Ramesh et al. 2021 (DALL·E), §2.6.
    """
    agreement = _agreement(clip, image, text)  # [R, n]
    rows, each = agreement.shape
    if keep > each:
        raise Mismatch(f"of {each} pictures {keep} cannot be kept", port="keep")
    best = agreement.topk(keep, 1).indices  # [R, keep]
    first = torch.arange(0, rows * each, each, device=best.device)[:, None]
    return image.index_select(0, (first + best).flatten().to(image.device))


def _agreement(clip: OpenClip, image: Tensor, text: str | list[str]) -> Tensor:
    """Cosines of R·n pictures with R texts, [R, n]."""
    texts = [text] if isinstance(text, str) else text
    if not texts or len(image) % len(texts):
        raise Mismatch(
            f"{len(image)} pictures cannot be shared out over {len(texts)} texts", port="text"
        )
    read, _ = clip.read(texts)
    clip.warn_of_left_out(texts)
    seen = clip.see(image).values.unflatten(0, (len(texts), -1))  # [R, n, D]
    return F.cosine_similarity(seen.float(), read.values[:, None].to(seen).float(), dim=-1)
