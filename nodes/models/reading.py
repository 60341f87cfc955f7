"""What nodes that read texts say of what their network does not get."""

import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches

from nodegraph import warn
from nodes.networks.tokenizer import LeftOut, several
from nodes.shapes.vocabulary import COLOURS, SHAPES
from nodes.shapes.wording import NoScene, caption_of
from nodes.shapes.world import BACKGROUNDS, RADII

WORLD = frozenset((*COLOURS, *SHAPES, *BACKGROUNDS, *RADII))
"""A vocabulary that has these words is the shapes world's."""
SHOWN = 8
"""Words, and texts, that a warning names one by one."""
LENGTH = 200


def warn_of_left_out(
    name: str,
    texts: Sequence[str],
    left_out: Callable[[str], LeftOut],
    words: Sequence[str] = (),
    port: str = "text",
) -> None:
    """Say what the model `name` does not get of texts: unknown words, of a vocabulary of `words`, and ends that are cut off."""
    _warn_of_meaning(name, texts, words, port)
    found = [left_out(text) for text in as_meant(texts, words)]
    unknown = list(dict.fromkeys(word for each in found for word in each.unknown))
    if unknown:
        message = f"'{name}' does not know {_listed(unknown)}"
        warn(message, port=port, hint=_hint(unknown, words))
    cut = list(dict.fromkeys(each.cut for each in found if each.cut))
    if cut:
        message = f"the text is too long for '{name}', which does not get its end: {_listed(cut)}"
        warn(message, port=port, hint="say it in fewer words")


def as_meant(texts: Sequence[str], words: Sequence[str]) -> list[str]:
    """What a network with a closed vocabulary is given of texts: that of the shapes world gets captions of its world.

    Raises TypeError for one bare text.
    """
    given = several(texts)
    return [_meant(text)[0] for text in given] if set(words) >= WORLD else given


def _meant(text: str) -> tuple[str, str]:
    """A text as a caption of the shapes world, and why it is none; then it stays as it is."""
    try:
        return caption_of(text), ""
    except NoScene as error:
        return text, str(error)


def _warn_of_meaning(name: str, texts: Sequence[str], words: Sequence[str], port: str) -> None:
    if not set(words) >= WORLD:
        return
    for text in dict.fromkeys(texts):
        meant, problem = _meant(text)
        if problem:
            warn(f"'{_short(text)}' is no picture that '{name}' can draw: {problem}", port=port)
        elif _content(meant) != _content(text):
            warn(f"'{name}' reads '{_short(text)}' as '{meant}'", port=port)


def _content(text: str) -> list[str]:
    """The words of a text without case and articles."""
    return [word for word in re.findall(r"\w+", text.lower()) if word not in ("a", "an")]


def _listed(parts: Sequence[str]) -> str:
    shown = ", ".join(f"'{_short(part)}'" for part in parts[:SHOWN])
    return f"{shown} and {len(parts) - SHOWN} more" if len(parts) > SHOWN else shown


def _short(text: str) -> str:
    return text if len(text) <= LENGTH else f"{text[:LENGTH]}…"


def _hint(unknown: Sequence[str], words: Sequence[str]) -> str | None:
    """The nearest of the words to one that may be misspelt, else all of them."""
    for stranger in unknown:
        close = get_close_matches(stranger, words, 1, 0.7) if len(stranger) > 3 else []
        if close:
            return f"did you mean '{close[0]}'?"
    known = [word for word in words if word.isalnum()]
    return f"it knows {len(known)} words: {', '.join(known)}" if known else None
