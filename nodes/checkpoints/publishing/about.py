"""What a pushed bundle says of itself beside its parts: name, licence, terms, and a card for people."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nodegraph.models.publishing import Publication
from nodes.checkpoints.entries import Entry
from nodes.checkpoints.publishing.sources import described

_NAME = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)*")
SHORT = 300
"""Letters of what a catalogue's list says of a bundle."""


@dataclass(frozen=True, slots=True)
class About:
    """The `name` of a bundle, its `record` in a catalogue without the parts, and the `text` of its card."""

    name: str
    record: dict[str, Any]
    text: str


def about(bundle: str, how: Publication) -> About:
    """What is given, and else what a catalogue or the bundle's folder says.

    Raises ValueError for a name or a card that none can be, and without a licence or with another than it came under.
    """
    known = [entry for of in (bundle, how.rest) if of and (entry := described(of))]
    own = described(bundle)
    text = how.card or (own.card if own else "")
    if text.startswith("---\n"):
        raise ValueError("the card begins with front matter, which is written here: leave it out")
    terms = "\n\n".join(dict.fromkeys(entry.terms for entry in known if entry.terms))
    record = {
        "licence": _licence(how, known),
        "source": "pushed",
        "card": _short(text),
        **({"card_url": own.card_url} if own and own.card_url else {}),
        **({"terms": terms} if terms else {}),
        **({"year": own.year} if own and own.year else {}),
    }
    return About(_name(how), record, text)


def _name(how: Publication) -> str:
    name = how.name or how.folder.name
    if not _NAME.fullmatch(name):
        allowed = "letters, digits, '-', '_' and '.', with '/' between"
        raise ValueError(f"'{name}' is no name of a bundle ({allowed}); --as gives another")
    return name


def _licence(how: Publication, known: Sequence[Entry]) -> str:
    """Who passes models on passes on their licence."""
    came = list(dict.fromkeys(entry.licence for entry in known))
    if how.licence and came not in ([], [how.licence]):
        names = " and ".join(f"'{entry.name}' is under {entry.licence}" for entry in known)
        raise ValueError(f"{names}, and who passes it on passes that on: leave out --licence")
    licence = how.licence or " and ".join(came)
    if not licence:
        raise ValueError("a bundle is passed on under a licence: --licence Apache-2.0, or another")
    return licence


def _short(text: str) -> str:
    """The first line of a text that is no heading."""
    lines = (line.strip() for line in text.splitlines())
    first = next((line for line in lines if line and not line.startswith("#")), "")
    return first if len(first) <= SHORT else f"{first[: SHORT - 1]}…"
