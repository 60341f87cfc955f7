"""Bundles: families of models that belong together."""

from dataclasses import dataclass

from nodegraph.types import PortType
from nodes.checkpoints.catalogue import part_kinds


@dataclass(frozen=True, slots=True)
class Bundle:
    """A family of models that belong together: a catalogue name, or a folder with one sub-folder for each part."""

    name: str


BUNDLE = PortType(
    "Bundle",
    "Models that belong together: a catalogue name such as shapes/glide, or a folder. Its parts are $name.part.",
    literal="name",
    colour="#a855f7",
    shape="diamond",
    parse=lambda literal, context: Bundle(str(literal)),
    digest=lambda value: value.name,
    parts=part_kinds,
)
