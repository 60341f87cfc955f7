"""Models that a catalogue publishes, and the folder where their files are kept.

An entry point of the group `nodegraph.models` names a function that returns `Listing`s; it imports no torch.
"""

import glob
import hashlib
import json
import re
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from nodegraph.base.libraries import Broken, why
from nodegraph.base.partial import write_text
from nodegraph.base.paths import models_folder, read_json, real_path

MODEL_GROUP = "nodegraph.models"
CATALOGUE, BUNDLE = "catalogue.json", "bundle.json"
"""What describes many bundles, as in the folder of models, and the one of a folder that was pushed."""
_SHA256 = re.compile("[0-9a-f]{64}")
SAFETENSORS = ".safetensors"
_NO_NAME = re.compile(r"[/\\\x00-\x1f\x7f\ud800-\udfff]|^[A-Za-z]:|^.{200}", re.DOTALL)
"""What the name of no file or folder holds, on any system."""
HUB = "hf://"
"""Files of the Hugging Face Hub: `hf://owner/repository/path`, or `hf://owner/repository@commit/path`."""


def file_name(url: str) -> str:
    """Under which name a file is kept: that of its address, on the Hub with the folder (`hf://owner/repository/folder/name`)."""
    path = urlsplit(url).path.split("/")
    folder = f"{path[-2]}-" if url.startswith(HUB) and len(path) > 3 else ""
    return folder + unquote(path[-1])


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A published file of a model (`openai/glide/base`).

    `size` in bytes: as published if `size_known`, else estimated from the parameters; `sha256` where it is publicly known.
    `kept_as`: the name under which it is kept, where that is not its address's. `weights`: whether `check` of its listing knows
    it; another file (a vocabulary) is known by its digest alone.
    """

    model: str
    url: str
    size: int
    size_known: bool = False
    sha256: str | None = None
    kept_as: str | None = None
    weights: bool = True

    def __post_init__(self) -> None:
        """Raises ValueError for names that lead out of the folder of models, or are none."""
        for part in (*self.model.split("/"), self.name):
            if part in ("", ".", "..") or _NO_NAME.search(part):
                raise ValueError(
                    f"'{self.model}' of {self.url} has no place below the folder of models"
                )
        if not self.weights and self.sha256 is None:
            raise ValueError(f"{self.url} is no file of weights, and has no sha256")

    @property
    def name(self) -> str:
        return self.kept_as or file_name(self.url)

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
    model's name and a file: the name under which the file is kept, or ValueError saying why it is not that model. `push` and
    `take` are such too: what makes a folder of a bundle, and what reads the catalogue of such a folder (`publishing`).
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
    year: int = 0
    """When it was published; 0 where that is not said."""
    push: str = ""
    take: str = ""


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


def enclosed(target: Path) -> Path:
    """A place in the folder of models, itself. Raises ValueError where a link leads what is written there out of it."""
    folder, beside = real_path(models_folder()), target.parent.glob(f"{glob.escape(target.name)}.*")
    for path in (target.parent, target.parent / ".lock", *(p for p in beside if p.is_symlink())):
        if not real_path(path).is_relative_to(folder):
            raise ValueError(
                f"{path} is a link out of the folder of models; "
                "remove it, or let NODEGRAPH_MODELS name the folder that it leads to"
            )
    return target


def keep(partial: Path, target: Path, sha256: str, origin: str) -> None:
    """Move a checked file into its place, atomically, with a note of its digest; another form of it goes."""
    partial.replace(target)
    for other in (
        f for f in target.parent.glob(f"{glob.escape(target.stem)}.*") if _other(f, target)
    ):
        other.unlink()
    note = {"sha256": sha256, "origin": origin, "state": _state(target)}
    write_text(_note(target), json.dumps(note, indent=1) + "\n")


def _other(path: Path, target: Path) -> bool:
    return path.stem == target.stem and path != target and path.suffix in (SAFETENSORS, ".pt")


def noted_digest(path: Path) -> str | None:
    """sha256 that was noted when the file came, or None if there is no note or the file has changed since."""
    try:
        note = read_json(_note(path))
        digest = note["sha256"] if note["state"] == _state(path) else None
    except (OSError, ValueError, KeyError):
        return None
    return digest if isinstance(digest, str) and _SHA256.fullmatch(digest) else None


def noted_origins(bundle: str) -> list[str]:
    """Where the files of a bundle that are here came from, as it was noted."""
    found: list[str] = []
    for note in sorted((models_folder() / bundle).glob("*/*.json")):
        with suppress(OSError, ValueError):
            found.append(str(read_json(note).get("origin")))
    return found


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


def _accepted() -> dict[str, Any]:
    try:
        return read_json(models_folder() / "accepted.json")
    except (OSError, ValueError):
        return {}


def _words(listing: Listing) -> str:
    return hashlib.sha256(f"{listing.licence}\n{listing.terms}".encode()).hexdigest()
