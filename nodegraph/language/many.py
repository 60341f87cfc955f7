"""Many values for one name: ranges as they are written, axes of values, and the cells that several axes span."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from typing import Any

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"\s*({_NUMBER})\s*\.\.\s*({_NUMBER})(?:\s+by\s+({_NUMBER}))?\s*")
MOST_VALUES = 100_000
"""Values of one range."""
LONGEST = 40
"""Characters of a number of a range."""


class BadRange(ValueError):
    """A range that goes nowhere, or over more values than anybody means."""


@dataclass(frozen=True, slots=True)
class Axis:
    """The values that one name takes, or several names together (`prompt+seed`): a tuple of values for each row.

    `written`: the values are texts, to be read by the types of the inputs as on a command line.
    """

    names: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    written: bool = False


def is_range(text: Any) -> bool:
    """Whether a text is a range such as `0..3` or `0..1 by 0.25`."""
    return isinstance(text, str) and _RANGE.fullmatch(text) is not None


def range_values(text: str) -> list[int] | list[float]:
    """The numbers of a range, both ends included: `0..3`, `3..0`, `0..1 by 0.25`. Raises BadRange.

    They are whole numbers where everything that is written is.
    """
    found = _RANGE.fullmatch(text)
    if found is None:
        raise BadRange(f"'{text}' is no range; write 0..3, or 0..1 by 0.25")
    if len(text) > 3 * LONGEST:
        raise BadRange("a number of the range has too many digits")
    low, high = Decimal(found[1]), Decimal(found[2])
    step = Decimal(found[3] or (1 if high >= low else -1))
    if not step or (high - low) * step < 0:
        raise BadRange(f"'{text}' does not lead from {found[1]} to {found[2]}")
    whole = all(re.fullmatch(r"[-+]?\d+", part) for part in found.groups() if part)
    if (high - low) / step >= MOST_VALUES:
        raise BadRange(f"'{text}' has more than {MOST_VALUES:,} values")
    numbers = [low + step * i for i in range(int((high - low) / step) + 1)]
    return [int(n) for n in numbers] if whole else [float(n) for n in numbers]


def names_of(key: str) -> tuple[str, ...]:
    """The names of an axis: `prompt+seed` is two that go together."""
    return tuple(part.strip() for part in key.split("+"))


def twice(axes: Sequence[tuple[str, ...]]) -> str | None:
    """A name that stands in two axes, or twice in one."""
    seen: set[str] = set()
    for name in (name for names in axes for name in names):
        if name in seen:
            return name
        seen.add(name)
    return None


def cells(axes: Sequence[Axis]) -> Iterator[Mapping[str, Any]]:
    """Every combination of the axes' rows, by name; the first axis changes slowest."""
    for rows in product(*(axis.rows for axis in axes)):
        yield {
            name: value
            for axis, row in zip(axes, rows, strict=True)
            for name, value in zip(axis.names, row, strict=True)
        }


def count(axes: Sequence[Axis]) -> int:
    """How many cells there are."""
    total = 1
    for axis in axes:
        total *= len(axis.rows)
    return total
