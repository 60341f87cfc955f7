"""Change sets of texts as CodeMirror writes them: lengths in UTF-16 units that stay, or go, or give way to lines."""

from collections.abc import Sequence
from typing import Any

MOST_PARTS = 20_000


class BadChange(ValueError):
    """A change set that is none, or not one of this text."""


def changed(text: str, changes: Sequence[Any]) -> str:
    """A text with a change set applied. Each part is a length that stays, `[length]` that goes, or `[length, line, …]`.

    Raises BadChange where the lengths are not the text's, or a part begins within a character.
    """
    if len(changes) > MOST_PARTS:
        raise BadChange(f"a change set has at most {MOST_PARTS:,} parts")
    units = text.encode("utf-16-le", "surrogatepass")
    made: list[bytes] = []
    at = 0
    for part in changes:
        length, lines = _part(part)
        end = at + 2 * length
        if end > len(units):
            raise BadChange(
                f"the changes go over {end // 2:,} units, and the text has {len(units) // 2:,}"
            )
        if _within(units, at) or _within(units, end):
            raise BadChange(f"a part of the changes begins within a character, at unit {at // 2:,}")
        made.append(units[at:end] if lines is None else "\n".join(lines).encode("utf-16-le"))
        at = end
    if at != len(units):
        raise BadChange(
            f"the changes go over {at // 2:,} units, and the text has {len(units) // 2:,}"
        )
    return b"".join(made).decode("utf-16-le", "surrogatepass")


def _part(part: Any) -> tuple[int, list[str] | None]:
    """The length of a part, and the lines that take its place; None where it stays. Raises BadChange."""
    if _length(part):
        return part, None
    if isinstance(part, list) and part and _length(part[0]) and all(map(_line, part[1:])):
        return part[0], part[1:]
    raise BadChange("a part of a change set is a length, or a list of a length and lines of text")


def _length(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31


def _line(value: Any) -> bool:
    return (
        isinstance(value, str)
        and "\n" not in value
        and not any("\ud800" <= c <= "\udfff" for c in value)
    )


def _within(units: bytes, at: int) -> bool:
    """Whether a place lies between the halves of a character."""
    before, after = units[at - 1 : at], units[at + 1 : at + 2]
    return bool(before and after) and 0xD8 <= before[0] <= 0xDB and 0xDC <= after[0] <= 0xDF


def difference(old: str, new: str) -> list[Any]:
    """The change set that makes one text of another: one stretch of it gives way."""
    first, second = (
        old.encode("utf-16-le", "surrogatepass"),
        new.encode("utf-16-le", "surrogatepass"),
    )
    begin = _common(first, second)
    tail = _common(first[begin:][::-1], second[begin:][::-1])
    while tail and (_within(first, len(first) - tail) or _within(second, len(second) - tail)):
        tail -= 2
    while begin and (_within(first, begin) or _within(second, begin)):
        begin -= 2
    inner = second[begin : len(second) - tail].decode("utf-16-le", "surrogatepass")
    gone = (len(first) - begin - tail) // 2
    parts: list[Any] = [begin // 2] if begin else []
    if gone or inner:
        parts.append([gone, *inner.split("\n")] if inner else [gone])
    return [*parts, tail // 2] if tail else parts


def _common(one: bytes, other: bytes) -> int:
    """How many bytes, an even number, two byte strings have in common at the beginning."""
    least = min(len(one), len(other))
    low, high = 0, least
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[:middle] == other[:middle] else (low, middle - 1)
    return low - low % 2
