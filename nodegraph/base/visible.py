"""Texts of strangers on a terminal: control characters are shown, and never obeyed."""

import re

_HIDDEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
"""Controls but the line feed, marks that turn the direction of writing, separators, halves of a pair, and two
that are no characters."""


def visible(text: str) -> str:
    """The text with control characters as `\\x1b`. Lines stay lines."""
    return _HIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def visible_line(text: str) -> str:
    """The text as `visible`, on one line."""
    return visible(text).replace("\n", "\\n")


def escaped(json: str) -> str:
    """A text of JSON, in which such characters stand within strings alone, with each as `\\u009b`."""
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", json)


def clipped(text: str, limit: int = 1000) -> str:
    """The text, or its beginning and end if it is longer than a person would read."""
    half = limit // 2
    return text if len(text) <= limit else f"{text[:half]} … {text[-half:]}"
