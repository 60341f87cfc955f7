"""Bundles: families of models that belong together."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bundle:
    """A family of models that belong together: a catalogue name, or a folder with one sub-folder for each part."""

    name: str
