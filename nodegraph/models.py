"""Models that a catalogue publishes, and the folder where their files are kept.

An entry point of the group `nodegraph.models` names a function that returns `Listing`s; it imports no torch.
"""

import hashlib
import json
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from nodegraph.libraries import Broken, why
from nodegraph.partial import write_text
from nodegraph.paths import models_folder

MODEL_GROUP = "nodegraph.models"
SAFETENSORS = ".safetensors"
HUB = "hf://"
"""Files of the Hugging Face Hub: `hf://owner/repository/path`."""


def file_name(url: str) -> str:
    """Under which name a file is kept: that of its address, on the Hub with the folder (`hf://owner/repository/folder/name`)."""
    path = urlsplit(url).path.split("/")
    folder = f"{path[-2]}-" if url.startswith(HUB) and len(path) > 3 else ""
    return folder + unquote(path[-1])


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A published file of a model (`openai/glide/base`).

    `size` in bytes: as published if `size_known`, else estimated from the parameters; `sha256` where it is publicly known.
    """

    model: str
    url: str
    size: int
    size_known: bool = False
    sha256: str | None = None

    @property
    def name(self) -> str:
        return file_name(self.url)

    @property
    def place(self) -> Path:
        """Where the file belongs, below the folder of models."""
        return models_folder() / self.model / self.name

    @property
    def kept(self) -> Path | None:
        """Where the file is: as published, or added as safetensors; None while it is absent."""
        found = (p for p in (self.place, self.place.with_suffix(SAFETENSORS)) if p.exists())
        return next(found, None)


@dataclass(frozen=True, slots=True)
class Listing:
    """What a catalogue says of a bundle: `parts` by name, those that are `here`, sizes in bytes.

    `terms`: what one has to accept before a download; empty for a free licence. `check` is `module:function`, called with a
    model's name and a file: the name under which the file is kept, or ValueError saying why it is not that model.
    """

    name: str
    parts: tuple[str, ...]
    licence: str
    size: int
    here: tuple[str, ...]
    source: str
    card: str
    card_url: str = ""
    terms: str = ""
    files: tuple[ModelFile, ...] = ()
    check: str = ""


def listings() -> tuple[list[Listing], list[Broken]]:
    """Every bundle of every installed catalogue; and the catalogues that cannot be read."""
    found: list[Listing] = []
    broken: list[Broken] = []
    for point in entry_points(group=MODEL_GROUP):
        try:
            given = cast("list[object]", point.load()())
            rows = [row for row in given if isinstance(row, Listing)]
            if len(rows) < len(given):
                raise TypeError("it gives something else than Listings")
        except (Exception, SystemExit) as error:
            broken.append(Broken(f"the catalogue of models '{point.value}'", why(error)))
        else:
            found += rows
    return found, broken


def keep(partial: Path, target: Path, sha256: str, origin: str) -> None:
    """Move a checked file into its place, atomically, with a note of its digest; another form of it goes."""
    partial.replace(target)
    for other in (f for f in target.parent.glob(f"{target.stem}.*") if _other(f, target)):
        other.unlink()
    note = {"sha256": sha256, "origin": origin, "state": _state(target)}
    write_text(_note(target), json.dumps(note, indent=1) + "\n")


def _other(path: Path, target: Path) -> bool:
    return path.stem == target.stem and path != target and path.suffix in (SAFETENSORS, ".pt")


def noted_digest(path: Path) -> str | None:
    """sha256 that was noted when the file came, or None if there is no note or the file has changed since."""
    try:
        note: dict[str, Any] = json.loads(_note(path).read_text(encoding="utf-8"))
        return note["sha256"] if note["state"] == _state(path) else None
    except (OSError, ValueError, KeyError):
        return None


def _state(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ino]


def _note(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def accepted(listing: Listing) -> bool:
    """Whether the bundle's terms, in these very words, were accepted on this machine; True if it has none."""
    return not listing.terms or _accepted().get(listing.name) == _words(listing)


def accept(listing: Listing) -> None:
    """Remember that the terms of a bundle were accepted."""
    record = {**_accepted(), listing.name: _words(listing)}
    write_text(models_folder() / "accepted.json", json.dumps(record, indent=1) + "\n")


def _accepted() -> dict[str, str]:
    try:
        text = (models_folder() / "accepted.json").read_text(encoding="utf-8")
        return cast("dict[str, str]", json.loads(text))
    except (OSError, ValueError):
        return {}


def _words(listing: Listing) -> str:
    return hashlib.sha256(f"{listing.licence}\n{listing.terms}".encode()).hexdigest()
