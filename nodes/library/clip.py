"""Nodes that read texts and pictures by a CLIP, and ask it how well they fit."""

from typing import Annotated, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from nodegraph import Doc, Mismatch, Range, node
from nodes.library.rows import at_port
from nodes.models.clip import Clip
from nodes.models.embeddings import ClipTokens, Embedding, same_space
from nodes.models.noised_clip import NoisedClip
from nodes.rows import share
from nodes.wires.embeddings import ClipImage, ClipText
from nodes.wires.pictures import Image
from nodes.wires.scalars import Text
from nodes.wires.tables import Table


class ReadText(NamedTuple):
    """`embedding` [R, D], `tokens` [R, L, W]."""

    embedding: ClipText
    tokens: ClipTokens


@node(words=("text encoder", "prompt", "open_clip"), rows=("text",))
def clip_text(
    clip: Clip, text: Annotated[Text | list[Text], Doc("Several give a row each.")]
) -> ReadText:
    """CLIP's text embeddings [R, D], not normalised, and the last states of the text transformer [R, L, W].

    Raises Mismatch for a CLIP without a text tower. Ref: Radford et al. 2021.
    """
    texts = [text] if isinstance(text, str) else text
    found = ReadText(*clip.read(texts))
    clip.warn_of_left_out(texts)
    return found


@node(words=("image encoder", "open_clip"), rows=("image",))
def clip_image(clip: Clip, image: Image) -> ClipImage:
    """CLIP's image embeddings [B, D] of pictures [B, 3, H, W], preprocessed as in its training; not normalised.

    Raises Mismatch for a CLIP without an image tower. Ref: Radford et al. 2021.
    """
    return clip.see(image)


@node(words=("zero-shot", "ablation"), rows=("embedding",))
def text_as_image(embedding: ClipText) -> ClipImage:
    """A text embedding in place of an image embedding, unchanged. Ref: Ramesh et al. 2022, §5.1."""
    return embedding


@node(words=("rerank", "best of n"), rows=("candidates", "text"))
def best_candidate(candidates: ClipImage, text: ClipText) -> ClipImage:
    """The candidate embedding with the largest dot product with its text: R·n candidates of R texts → R.

    Raises Mismatch for embeddings of two CLIPs, or where n is not whole. Ref: Ramesh et al. 2022, §2.2.
    """
    same_space(candidates.space, text, "the candidates' space", "text")
    rows = len(text.values)
    with at_port("text"):
        each = share(rows, len(candidates.values), "texts", "candidates")
    grouped = candidates.values.unflatten(0, (rows, each))  # [R, n, D]
    products = torch.einsum("rnd,rd->rn", grouped, text.values.to(grouped.dtype))
    best = products.argmax(1)[:, None, None].expand(-1, 1, grouped.shape[2])
    return Embedding(grouped.gather(1, best)[:, 0], candidates.space)


Texts = Annotated[Text | list[Text], Doc("One for all pictures, or one for each n in a row.")]
AnyClip = Annotated[
    Clip | NoisedClip, Doc("A noised one sees the picture without noise, at t = 0.")
]
SCORE = ("picture", "text", "cosine")


def _abstract_score(clip: Clip | NoisedClip, image: Image, text: str | list[str]) -> Table:
    _cosines(clip, image, text)
    return Table(SCORE, ())


@node(words=("similarity", "CLIPScore", "agreement"), abstract=_abstract_score)
def clip_score(clip: AnyClip, image: Image, text: Texts) -> Table:
    """The cosine of each picture's embedding with that of its text, in [−1, 1], one row each; R texts for R·n pictures.

    Raises Mismatch where n is not whole, or for pictures of another size than a noised CLIP's. Ref: Hessel et al. 2021,
    without its factor 2.5.
    """
    texts = [text] if isinstance(text, str) else text
    cosines = _cosines(clip, image, texts)  # [R, n]
    named = (texts[i // cosines.shape[1]] for i in range(cosines.numel()))
    rows = enumerate(zip(named, cosines.flatten().tolist(), strict=True))
    return Table(SCORE, tuple((i, name, round(cosine, 6)) for i, (name, cosine) in rows))


@node(words=("best of n", "DALL·E", "choose", "select"), rows=("image", "text"))
def clip_rerank(
    clip: AnyClip,
    image: Image,
    text: Texts,
    keep: Annotated[int, Range(1, 4096), Doc("How many pictures are kept for each text.")] = 1,
) -> Image:
    """The `keep` pictures of each text with the highest CLIP score, best first: R·n pictures of R texts → R·keep.

    Raises Mismatch where n is not whole, or less than `keep`.
    Ref: Ramesh et al. 2021 (DALL·E), §2.6.
    """
    cosines = _cosines(clip, image, text)  # [R, n]
    rows, each = cosines.shape
    if keep > each:
        raise Mismatch(f"of {each} pictures {keep} cannot be kept", port="keep")
    best = cosines.topk(keep, 1).indices  # [R, keep]
    first = torch.arange(0, rows * each, each, device=best.device)[:, None]
    return image.index_select(0, (first + best).flatten().to(image.device))


def _cosines(clip: Clip | NoisedClip, image: Tensor, text: str | list[str]) -> Tensor:
    """Cosines of R·n pictures with R texts, [R, n]."""
    texts = [text] if isinstance(text, str) else text
    with at_port("text"):
        each = share(len(texts), len(image), "texts", "pictures")
    read = _read(clip, texts)
    seen = seen_by(clip, image).unflatten(0, (len(texts), each))  # [R, n, D]
    return F.cosine_similarity(seen.float(), read[:, None].to(seen).float(), dim=-1)


def _read(clip: Clip | NoisedClip, texts: list[str]) -> Tensor:
    """Embeddings of texts, [R, D]; says what the CLIP does not get of them."""
    if isinstance(clip, NoisedClip):
        return clip.texts(texts)
    read, _ = clip.read(texts)
    clip.warn_of_left_out(texts)
    return read.values


def seen_by(clip: Clip | NoisedClip, image: Tensor) -> Tensor:
    """Embeddings of pictures [B, D], by a noised CLIP at t = 0. Raises Mismatch for a size that a noised one does not take."""
    if not isinstance(clip, NoisedClip):
        return clip.see(image).values
    size = clip.image_size
    if tuple(image.shape[-2:]) != (size, size):
        message = f"'{clip.name}' looks at {size} px, the pictures have {list(image.shape[-2:])}"
        raise Mismatch(message, port="image", hint="resize the pictures")
    t = torch.zeros(len(image), dtype=torch.int64, device=image.device)
    return clip.module().image(image, t)
