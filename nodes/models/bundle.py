"""Bundles: families of models that belong together."""

from dataclasses import dataclass
from typing import Any

from nodegraph.library.port import Context


@dataclass(frozen=True, slots=True)
class Bundle:
    """A family of models that belong together: a catalogue name, or a folder with one sub-folder for each part."""

    name: str


def bundle_identity(kind: str, literal: Any, context: Context) -> str:
    """Its name: each of its parts is identified as a model."""
    return str(literal)
