"""Texts as padded token tensors, by the tokenizer that a network's configuration names."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from nodes.networks.bpe import glide_encoding
from nodes.networks.config import TextConfig, TokenizerConfig
from nodes.tensors import Tensors

GLIDE_PADDING = 50_256
WORD_PADDING, WORD_UNKNOWN = 0, 1
SPECIAL = 3
"""Rows of a vocabulary beside its words: padding, unknown words, and one that nothing uses."""
_WORD = re.compile(r"[^\W_]+|,")
_SIGN = re.compile(r"[^\w\s,.]+|_+")


@dataclass(frozen=True, slots=True)
class Tokens(Tensors):
    """`ids` int64 [B, L] and `mask` bool [B, L]; True = a token, False = padding."""

    ids: Tensor
    mask: Tensor


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What of a text a network does not get: the end that is `cut` off, and what is `unknown` to its vocabulary."""

    cut: str = ""
    unknown: tuple[str, ...] = ()


def several(texts: Sequence[str]) -> list[str]:
    """Texts, of which one bare one would be its letters. Raises TypeError."""
    if isinstance(texts, str):
        raise TypeError(f"several texts are wanted, not one; write [{texts!r}]")
    return list(texts)


def tokenize(config: TextConfig, texts: Sequence[str]) -> Tokens:
    """Texts padded to the network's context; what does not fit is cut off at the end. Raises TypeError for one bare text."""
    texts = several(texts)
    glide = config.tokenizer.kind == "glide_bpe"
    rows = [_glide(t) if glide else words_to_ids(t, config.tokenizer.words) for t in texts]
    return _padded(rows, config.context, GLIDE_PADDING if glide else WORD_PADDING)


def _glide(text: str) -> list[int]:
    return glide_encoding().encode(text.lower())


def pieces(config: TextConfig, text: str) -> list[str]:
    """The text of each token that a network reads of a text, in their order; one that begins a word begins with a space."""
    if config.tokenizer.kind == "words":
        read = [f" {word}" for word in _WORD.findall(text.lower())]
    else:
        read = [glide_encoding().decode([token]) for token in _glide(text)]
    return read[: config.context]


def left_out(config: TextConfig, text: str) -> LeftOut:
    """What `tokenize` leaves out of a text."""
    if config.tokenizer.kind == "words":
        return words_left_out(text, config.tokenizer.words, config.context)
    return LeftOut(glide_encoding().decode(_glide(text)[config.context :]).strip())


def words_to_ids(text: str, words: Sequence[str]) -> list[int]:
    """Numbers of the words of a text in `words`, counted from 2; 1 is an unknown word. Case and final stops don't matter."""
    numbers = {word: i for i, word in enumerate(words, 2)}
    return [numbers.get(word, WORD_UNKNOWN) for word in _WORD.findall(text.lower())]


def word_counts(texts: Iterable[str]) -> Counter[str]:
    """The words of texts, and in how many of them each stands."""
    return Counter(word for text in texts for word in set(_WORD.findall(text.lower())))


def frequent_words(texts: Iterable[str], at_least: int, at_most: int) -> list[str]:
    """The words that stand in enough texts, at most so many of the most frequent ones, in the order of the alphabet."""
    counts = word_counts(texts)
    ranked = sorted((-count, word) for word, count in counts.items() if count >= at_least)
    return sorted(word for _, word in ranked[:at_most])


def with_words(config: TextConfig, words: Sequence[str]) -> TextConfig:
    """The options of a text transformer for a closed vocabulary; without words they stay as they are."""
    if not words:
        return config
    tokenizer = TokenizerConfig("words", tuple(words))
    return replace(config, vocabulary=len(words) + SPECIAL, tokenizer=tokenizer)


def words_left_out(text: str, words: Sequence[str], room: int) -> LeftOut:
    """What a closed vocabulary leaves out of a text that may have `room` words: other words, and signs that are no word."""
    text = text.lower()
    found = list(_WORD.finditer(text))
    end = found[room].start() if len(found) > room else len(text)
    known = frozenset(words)
    strange = {match.start(): match[0] for match in _SIGN.finditer(text, 0, end)}
    strange |= {m.start(): m[0] for m in found if m.start() < end and m[0] not in known}
    return LeftOut(text[end:].strip(), tuple(dict.fromkeys(strange[i] for i in sorted(strange))))


def _padded(rows: Sequence[Sequence[int]], length: int, padding: int) -> Tokens:
    ids = torch.full((len(rows), length), padding)
    mask = torch.zeros(len(rows), length, dtype=torch.bool)
    for number, row in enumerate(rows):
        kept = list(row[:length])
        ids[number, : len(kept)] = torch.tensor(kept, dtype=torch.int64)
        mask[number, : len(kept)] = True
    return Tokens(ids, mask)
