"""What the engine itself puts into a program: the node that makes one list of many values."""

from typing import Any


def gathered(items: list[Any]) -> list[Any]:
    """The values, as they are, in one list."""
    return items
