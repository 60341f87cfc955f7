"""Models by name, whatever their kind."""

from pathlib import Path
from typing import Any

from nodegraph.calling import value
from nodegraph.library.port import Precision
from nodes.checkpoints.catalogue import part_kinds

KINDS = ("UNet", "Prior", "ArPrior", "Classifier", "NoisedClip", "Clip")


def load_model(name: str | Path, device: str = "cpu", precision: Precision = "float32") -> Any:
    """A model as nodes take it, by a name of the catalogue (`shapes/glide/base`), of open_clip, or a folder.

    Weights are read when they are first needed, and stay on `device`. Raises ValueError or OSError for a name that nothing
    has, or whose weights are not here.
    """
    bundle, _, part = str(name).rpartition("/")
    try:
        kinds = part_kinds(bundle) if bundle else {}
    except (OSError, ValueError):
        kinds = {}
    if part in kinds:
        return value(kinds[part], str(name), device, precision)
    if str(name).startswith("open_clip:"):
        return value("Clip", str(name), device, precision)
    faults: list[Exception] = []
    for kind in KINDS:
        try:
            return value(kind, str(name), device, precision)
        except (OSError, ValueError) as error:
            faults.append(error)
    raise faults[0]
