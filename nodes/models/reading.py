"""What nodes that read texts say of what their network does not get."""

from collections.abc import Callable, Sequence
from difflib import get_close_matches

from nodegraph import warn
from nodes.networks.tokenizer import LeftOut

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
    found = [left_out(text) for text in texts]
    unknown = list(dict.fromkeys(word for each in found for word in each.unknown))
    if unknown:
        message = f"'{name}' does not know {_listed(unknown)}"
        warn(message, port=port, hint=_hint(unknown, words))
    cut = list(dict.fromkeys(each.cut for each in found if each.cut))
    if cut:
        message = f"the text is too long for '{name}', which does not get its end: {_listed(cut)}"
        warn(message, port=port, hint="say it in fewer words")


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
