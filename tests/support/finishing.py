"""Generators of nodes, run to their end."""

from collections.abc import Generator
from typing import Any, TypeVar

T = TypeVar("T")


def finished(running: Generator[Any, None, T]) -> T:
    """What a generator returns."""
    while True:
        try:
            next(running)
        except StopIteration as stop:
            return stop.value
