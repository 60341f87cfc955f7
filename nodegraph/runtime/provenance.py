"""Where a picture comes from: graph, subgraphs, inputs, model digests and versions, as a text chunk of the PNG."""

import json
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, cast

from nodegraph.base.node_files import file_of
from nodegraph.language.program import Program

CHUNK = "nodegraph"
PACKAGES = ("nodegraph", "torch", "numpy", "pillow")


def provenance(
    program: Program, models: Mapping[str, str], device: str, precision: str
) -> dict[str, str]:
    """Text chunks for a picture of this program; `models` are digests by name. Holds no absolute paths."""
    name = Path(program.file).name
    record = {
        "graph": name,
        "sources": dict(program.sources),
        "inputs": {
            key: _placeless(value) if key in program.places else value
            for key, value in program.inputs.items()
            if _is_plain(value)
        },
        "models": dict(models),
        "node_files": {
            step.spec.name: file for step in program.steps if (file := file_of(step.spec.home))
        },
        "device": device.partition(":")[0],
        "precision": precision,
        "versions": versions(),
    }
    text = json.dumps(record, ensure_ascii=False)
    return {CHUNK: text.encode("utf-8", "replace").decode("utf-8")}


def versions() -> dict[str, str]:
    """What results were made with, by name."""
    return {p: _version(p) for p in PACKAGES} | {"python": sys.version.split()[0]}


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_plain(item) for item in cast("list[Any]", value))
    return isinstance(value, str | int | float | bool)


def _placeless(value: Any) -> Any:
    """A path without the folders of this machine."""
    if isinstance(value, list):
        return [_placeless(item) for item in cast("list[Any]", value)]
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
