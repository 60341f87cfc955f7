"""CLIP on open_clip's modules: text tokens and embeddings, image embeddings. Ref: Radford et al. 2021."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nodes.networks.bpe import (
    BytePairEncoding,
    clip_clean,
    clip_encoding,
    folder_encoding,
    padded_pieces,
    padded_strangers,
)
from nodes.networks.clip.conditions import ClipReading
from nodes.networks.clip.pictures import clip_pixels
from nodes.networks.config import ClipConfig, ClipTokenizerConfig
from nodes.networks.tokenizer import LeftOut, Tokens, words_left_out, words_to_ids

START, END = "<|startoftext|>", "<|endoftext|>"
STAND_IN = {"layers": 1, "width": 64, "head_width": 64, "patch_size": 16, "image_size": 16}
"""In place of an image tower that is not there: it is built and thrown away."""


class Clip(nn.Module):
    """The towers of a CLIP. Importing open_clip takes seconds, so that it is imported when one is built."""

    def __init__(self, config: ClipConfig, both: Any = None) -> None:
        super().__init__()
        self.config = config
        both = _towers(config) if both is None else both
        self.text = both.text if config.text is not None else None
        own = getattr(self.text, "attn_mask", None)
        if own is not None:
            # Not a part of any state dict, so that it must have values also when the rest is built on meta.
            self.text.attn_mask = _causal(len(own))  # type: ignore[union-attr]
        self.image = both.visual if config.image is not None else None

    def read(self, tokens: Tokens) -> ClipReading:
        """Token ids [B, L] → embedding [B, D] and tokens [B, L, W], all float32."""
        if self.text is None:
            raise ValueError("this CLIP has no text tower")
        embedding, states = self.text(tokens.ids)
        return ClipReading(embedding.float(), states.float(), tokens.mask)

    def see(self, image: Tensor) -> Tensor:
        """Pictures [B, 3, H, W] in [−1, 1] → embeddings [B, D], float32, of their own length."""
        if self.image is None:
            raise ValueError("this CLIP has no image tower")
        dtype = next(self.image.parameters()).dtype
        seen = self.image(clip_pixels(image, self.config).to(dtype))
        # A CoCa's tower also gives what its captions are written from.
        return (seen[0] if isinstance(seen, tuple) else seen).float()


def _towers(config: ClipConfig) -> Any:
    from open_clip import CustomTextCLIP

    text = {**(config.text or {"layers": 1}), "output_tokens": True}
    image = config.image or STAND_IN
    return CustomTextCLIP(config.embedding, image, text, config.quick_gelu)  # type: ignore[arg-type]


def pretrained(config: ClipConfig, architecture: str, tag: str, folder: str) -> Clip:
    """A published CLIP by its names in open_clip, which fetches it into `folder` if it is not there."""
    import open_clip

    both: Any = open_clip.create_model(
        architecture,
        pretrained=tag,
        cache_dir=folder,
        force_custom_text=True,
        force_quick_gelu=config.quick_gelu,
    )
    both.text.output_tokens = True
    return Clip(config, both)


def _causal(length: int) -> Tensor:
    return torch.full((length, length), -torch.inf, device="cpu").triu(1)


def clip_tokenize(config: ClipConfig, texts: Sequence[str]) -> Tokens:
    """Texts as ids [B, L] with start and end, padded by 0, and their mask; what is too long is cut off before the end."""
    pieces, start, end = _reader(config)
    rows = [[*start, *pieces(text)[: config.context - len(start) - 1], end] for text in texts]
    ids = torch.tensor([row + [0] * (config.context - len(row)) for row in rows])
    lengths = torch.tensor([len(row) for row in rows])
    return Tokens(ids, torch.arange(config.context)[None] < lengths[:, None])


def clip_left_out(config: ClipConfig, text: str) -> LeftOut:
    """What `clip_tokenize` leaves out of a text."""
    tokenizer = config.tokenizer
    if tokenizer.kind == "words":
        return words_left_out(text, tokenizer.words, config.context - 1)
    encoding, room = _encoding(tokenizer), config.context - 2
    cut = encoding.decode(_reader(config)[0](text)[room:]).strip()
    unknown = (
        padded_strangers(encoding, text, tokenizer.padding) if tokenizer.kind == "folder" else ()
    )
    return LeftOut(cut, unknown)


def _reader(config: ClipConfig) -> tuple[Callable[[str], list[int]], list[int], int]:
    """What makes ids of a text, and the ids of start (if there is one) and end; the end is the largest."""
    tokenizer = config.tokenizer
    if tokenizer.kind == "words":
        return (lambda text: words_to_ids(text, tokenizer.words)), [], len(tokenizer.words) + 2
    encoding = _encoding(tokenizer)
    rows = int((config.text or {}).get("vocab_size", encoding.size))
    if encoding.size > rows:
        owner = tokenizer.folder or "CLIP's own"
        raise ValueError(
            f"the vocabulary ({owner}) has {encoding.size} symbols, the text tower {rows}"
        )
    marks = [encoding.ids[START]], encoding.ids[END]
    if tokenizer.kind == "clip":
        return (lambda text: encoding.encode(clip_clean(text))), *marks
    return (lambda text: padded_pieces(encoding, text, tokenizer.padding)), *marks


def _encoding(tokenizer: ClipTokenizerConfig) -> BytePairEncoding:
    return (
        folder_encoding(Path(tokenizer.folder)) if tokenizer.kind == "folder" else clip_encoding()
    )
