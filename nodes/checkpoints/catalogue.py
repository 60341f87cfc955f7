"""The catalogue of models: names, parts, licence and where they lie. Imports no torch, so that a type check can use it.

A *bundle* is a family of models that belong together (`shapes/glide`), its parts are named `shapes/glide/base`.
A folder with the same layout (one sub-folder for each part) serves as a bundle too.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SHIPPED = Path(__file__).parents[1] / "shapes" / "weights"
CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"


@dataclass(frozen=True, slots=True)
class Part:
    """One model of a bundle: its port type and, while the weights are absent, its published options."""

    kind: str
    layout: str = "nodegraph"
    options: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A bundle of the catalogue. `size` is in bytes over all parts; `card` a short description for people."""

    name: str
    parts: Mapping[str, Part]
    licence: str
    size: int
    source: str
    card: str


class UnknownModel(ValueError):
    """A model name that is neither in the catalogue nor a folder."""


def entries() -> dict[str, Entry]:
    """The catalogue, by bundle name: what the package's `catalogue.json` lists."""
    text = Path(__file__).with_name("catalogue.json").read_text(encoding="utf-8")
    return {name: _entry(name, fields) for name, fields in json.loads(text).items()}


def _entry(name: str, fields: Mapping[str, Any]) -> Entry:
    parts = {part: Part(**options) for part, options in fields["parts"].items()}
    return Entry(name, parts, fields["licence"], fields["size"], fields["source"], fields["card"])


def part_kinds(bundle: str) -> dict[str, str]:
    """Port types of a bundle's parts: `{"base": "UNet", …}`. Raises UnknownModel naming the nearest entries."""
    entry = entries().get(bundle)
    if entry:
        return {name: part.kind for name, part in entry.parts.items()}
    folder = Path(bundle).expanduser()
    if folder.is_dir():
        return {p.parent.name: _kind(p) for p in sorted(folder.glob(f"*/{CONFIG_FILE}"))}
    raise UnknownModel(
        f"'{bundle}' is neither in the catalogue ({', '.join(sorted(entries()))}) nor a folder"
    )


def _kind(config: Path) -> str:
    return json.loads(config.read_text(encoding="utf-8")).get("kind", "UNet")


def shipped_folder(name: str) -> Path | None:
    """Folder of a shipped part (`shapes/glide/base`), or None when its weights are not in this installation."""
    family, _, rest = name.partition("/")
    folder = SHIPPED / rest
    return folder if family == "shapes" and (folder / CONFIG_FILE).exists() else None


def listing() -> list[dict[str, Any]]:
    """The catalogue as plain rows, with the parts whose weights are here."""
    return [_row(entry) for entry in entries().values()]


def _row(entry: Entry) -> dict[str, Any]:
    here = [part for part in entry.parts if shipped_folder(f"{entry.name}/{part}")]
    return {
        "name": entry.name,
        "parts": list(entry.parts),
        "licence": entry.licence,
        "size": entry.size or sum(_weights_size(f"{entry.name}/{part}") for part in here),
        "here": here,
        "source": entry.source,
        "card": entry.card,
    }


def _weights_size(name: str) -> int:
    folder = shipped_folder(name)
    path = None if folder is None else folder / WEIGHTS_FILE
    return path.stat().st_size if path and path.exists() else 0
