"""What may be anything."""

from typing import TypeVar

X = TypeVar("X")
"""What is sampled, or passed through: the output has the type of the input."""
