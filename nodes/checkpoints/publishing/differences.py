"""What one configuration has and another has not, in words for people."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from nodes.checkpoints.entries import OURS

OWNERS = {
    OURS: "nodegraph's own",
    "diffusers": "diffusers'",
    "transformers": "transformers'",
    "openai": "OpenAI's",
    "karlo": "Karlo's own",
    "lucidrains": "DALLE2-pytorch's",
    "open": "open_clip's",
}
"""Whose a layout is, by the first word of its name."""
LENGTH = 40
"""Letters of a value that are shown."""
_READERS = {
    "words": "a closed vocabulary",
    "clip": "texts that are read as open_clip reads them",
    "other": "texts of another vocabulary than CLIP's",
}
_WORDS: Mapping[str, Callable[[Any, Any], str]] = {
    "fold": lambda mine, _: f"pixels folded {mine} × {mine} into channels",
    "text": lambda *_: "a text transformer of its own",
    "text.tokenizer.kind": lambda mine, _: _READERS.get(mine, f"texts read by {mine}"),
    "tokenizer.kind": lambda mine, _: _READERS.get(mine, f"texts read by {mine}"),
    "words": lambda *_: _READERS["words"],
    "classes": lambda mine, _: f"{mine} classes",
    "clip.text_width": lambda *_: "a decoder that reads no tokens of CLIP, or of another width",
    "text_width": lambda mine, other: f"text tokens {mine} wide beside embeddings {other} wide",
    "qkv_order": lambda *_: "weights of attention that lie head by head, or not",
    "low_resolution_as.residual": lambda *_: "what is predicted is added to the enlarged picture",
    "trained.fixed_variance": lambda mine, _: f"a variance of the kind {mine}",
    "trained.parametrisation": lambda mine, _: f"a network that predicts {mine}",
    "trained.learned_variance": lambda mine, _: (
        "a variance that is learned" if mine else "a variance that is not learned"
    ),
}
"""In words, what a configuration has under a name, and another has otherwise."""
_FOLLOWING = ("text.tokenizer.words", "text.vocabulary", "tokenizer.words", "vocabulary")
"""What differs where a tokenizer does, and need not be said beside it."""


def unlike(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """What a configuration has that another, of the same options, has not: nothing where they are equal."""
    found = dict(_differing(ours, theirs))
    first = [words for place, words in found.items() if place not in _FOLLOWING]
    return first or list(found.values())


def _differing(
    ours: Mapping[str, Any], theirs: Mapping[str, Any], under: str = ""
) -> Iterator[tuple[str, str]]:
    """Places of options, and what stands there in words."""
    for name, mine in ours.items():
        other, place = theirs.get(name), f"{under}{name}"
        if isinstance(mine, Mapping) and isinstance(other, Mapping):
            both = cast("tuple[dict[str, Any], dict[str, Any]]", (mine, other))
            yield from _differing(*both, f"{place}.")
        elif mine != other:
            words = _WORDS[place](mine, other) if place in _WORDS else f"{place} is {_short(mine)}"
            yield place, words


def _short(value: Any) -> str:
    text = "not set" if value is None else repr(value)
    return text if len(text) <= LENGTH else f"{text[: LENGTH - 1]}…"
