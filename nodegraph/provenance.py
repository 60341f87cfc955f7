"""Where a picture comes from: graph, subgraphs, inputs, model digests and versions, as a text chunk of the PNG."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from nodegraph.program import Program
from nodegraph.source import SourceText

CHUNK = "nodegraph"
PACKAGES = ("nodegraph", "torch", "numpy", "pillow")


class NoProvenance(ValueError):
    """A picture that does not say how it was made."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a picture says of itself: its graph, the inputs, digests of the models by name, precision and kind of device."""

    source: SourceText
    inputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    models: Mapping[str, str] = field(default_factory=dict[str, str])
    precision: str | None = None
    device: str | None = None


def provenance(
    program: Program, models: Mapping[str, str], device: str, precision: str
) -> dict[str, str]:
    """Text chunks for a picture of this program; `models` are digests by name. Holds no absolute paths."""
    name = Path(program.file).name
    record = {
        "graph": name,
        "sources": dict(program.sources),
        "inputs": {key: _plain(value) for key, value in program.inputs.items() if _is_plain(value)},
        "models": dict(models),
        "device": device.partition(":")[0],
        "precision": precision,
        "versions": {p: _version(p) for p in PACKAGES} | {"python": sys.version.split()[0]},
    }
    return {CHUNK: json.dumps(record, ensure_ascii=False)}


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float | bool | list)


def _plain(value: Any) -> Any:
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def read_picture(path: Path) -> Recorded:
    """How a picture was made. Raises NoProvenance where it does not say.

    The graph is somebody else's: its folder is the picture's own, and it reads and writes no more than any graph may.
    """
    from PIL import Image

    with Image.open(path) as picture:
        text = picture.info.get(CHUNK)
    try:
        record = json.loads(str(text))
        sources, name = record["sources"], record["graph"]
        source = SourceText(name, sources[name], path.parent, sources)
        options = (record.get("precision"), record.get("device"))
        return Recorded(source, dict(record["inputs"]), dict(record.get("models", {})), *options)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise NoProvenance(f"{path} does not carry the graph that made it") from None
