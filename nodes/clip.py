"""Nodes that read texts and pictures by a CLIP."""

from collections.abc import Generator, Sequence
from typing import Annotated, NamedTuple

import numpy as np
import torch

from nodegraph import Doc, Mismatch, Progress, Range, node
from nodes.models.embeddings import ClipTokens, Embedding, same_space
from nodes.models.open_clip import OpenClip
from nodes.training.dataset import Dataset
from nodes.wires.embeddings import ClipImage, ClipText
from nodes.wires.pictures import Image
from nodes.wires.scalars import Seed, Text


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
    texts = [text] if isinstance(text, str) else text
    found = ReadText(*clip.read(texts))
    clip.warn_of_left_out(texts)
    return found


@node(category="CLIP", words=("image encoder", "open_clip"))
def clip_image(clip: OpenClip, image: Image) -> ClipImage:
    """Pictures [B, 3, H, W] as CLIP sees them: the embedding of the middle square, of the length that CLIP gives it.

    Raises Mismatch for a CLIP without an image tower. Ref: Radford et al. 2021.
    """
    return clip.see(image)


class Pairs(NamedTuple):
    """Embeddings [N, D] of pictures, and of their captions."""

    images: ClipImage
    texts: ClipText


CHUNK = 256


def _abstract_pairs(clip: OpenClip, dataset: Dataset, count: int) -> Pairs:
    picture = torch.empty(1, *dataset.sample_shape, device=clip.device)
    parts = clip.see(picture), clip.read([""])[0]
    return Pairs(*(Embedding(p.values.expand(count, -1), p.space) for p in parts))


@node(category="CLIP", words=("data", "statistics", "embeddings"), abstract=_abstract_pairs)
def dataset_embeddings(
    clip: OpenClip,
    dataset: Dataset,
    count: Annotated[int, Range(2, 1_000_000), Doc("Pictures.")] = 4096,
    seed: Seed = 0,
) -> Generator[Progress, None, Pairs]:
    """CLIP's embeddings of pictures of a data set, and of their captions. Raises ValueError for one without captions."""
    made: list[Pairs] = []
    for first in range(0, count, CHUNK):
        size = min(CHUNK, count - first)
        batch = dataset.batch(np.random.default_rng([seed, first]), size)
        if batch.captions is None:
            raise ValueError("the data set has no captions")
        made.append(Pairs(clip.see(batch.signal), clip.read(batch.captions)[0]))
        yield Progress(first + size, count)
    return Pairs(*(_below(part) for part in zip(*made, strict=True)))


def _below(parts: Sequence[Embedding]) -> Embedding:
    """Embeddings of one CLIP, one below the other."""
    return Embedding(torch.cat([part.values for part in parts]), parts[0].space)


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
