"""The catalogue of models: names, parts, licence and where they lie. Imports no torch, so that a type check can use it.

A *bundle* is a family of models that belong together (`shapes/glide`), its parts are named `shapes/glide/base`.
A folder with the same layout (one sub-folder for each part) serves as a bundle too. Bundles of one's own, or other
addresses for the published ones, stand in a `catalogue.json` in the folder of models, written like the one beside this file.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from nodegraph.base.contents import state_of
from nodegraph.base.diagnostics import meant, nearest
from nodegraph.base.paths import models_folder, real_path
from nodegraph.models.catalogue import Listing, ModelFile, file_name
from nodes.checkpoints.foreign import foreign_kinds, read_json

SHIPPED = Path(__file__).parents[1] / "shapes" / "weights"
PUBLISHED = Path(__file__).with_name("catalogue.json")
CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
OURS = "nodegraph"
"""Our own layout."""
HALF = re.compile("[\ud800-\udfff]")
CHECK = "nodes.checkpoints.verify:identified"
_NAMED = {"Clip": "NoisedClip", "OpenClip": "Clip"}
"""Port types by the names that files have for them. In a file `Clip` has never been the clean CLIP, and never will be: files
outlive programs."""


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """One file of a part, with the numbers of its parameters and (`keys`) of its tensors; `size` (bytes) and `sha256` where
    publicly known."""

    url: str
    parameters: int
    keys: int | None = None
    size: int | None = None
    sha256: str | None = None

    @property
    def name(self) -> str:
        return file_name(self.url)


@dataclass(frozen=True, slots=True)
class Part:
    """One model of a bundle: its port type; if it is published, its layout, the options it was built with, and its
    files, in the order of the layout (CLIP's image encoder, then its text encoder)."""

    kind: str
    layout: str = OURS
    options: Mapping[str, Any] | None = None
    files: tuple[PublishedFile, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """A bundle of the catalogue. `card` is a short description for people, `card_url` the publisher's model card;
    `year` that of its publication, 0 where it is not said; `terms` what has to be accepted before a download, if any."""

    name: str
    parts: Mapping[str, Part]
    licence: str
    source: str
    card: str
    card_url: str = ""
    terms: str = ""
    year: int = 0


class UnknownModel(ValueError):
    """A model name that is neither in the catalogue nor a folder; `hint` names one that is near."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message, hint)
        self.hint = hint

    def __str__(self) -> str:
        return str(self.args[0])


class BadCatalogue(ValueError):
    """A catalogue file that cannot be read: names the file and the bundle."""


def entries() -> dict[str, Entry]:
    """The catalogue, by bundle name: the package's, then the user's own, which wins. Raises BadCatalogue."""
    own = models_folder() / "catalogue.json"
    return {**_known(PUBLISHED), **(_known(own) if own.exists() else {})}


def _known(path: Path) -> Mapping[str, Entry]:
    """What a file says, read once for each state of it."""
    return _read(path, state_of(path))


@lru_cache(16)
def _read(path: Path, state: str) -> Mapping[str, Entry]:
    name = ""
    found: dict[str, Entry] = {}
    try:
        record = read_json(path)
    except ValueError as error:
        raise BadCatalogue(str(error)) from None
    try:
        for name, entry in record.items():
            found[name] = _entry(name, _record("it", entry))
    except (ValueError, TypeError, KeyError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else error
        raise BadCatalogue(f"{path}: '{name}': {reason}") from None
    return found


def _entry(name: str, record: Mapping[str, Any]) -> Entry:
    plain = {key: value for key, value in record.items() if key not in ("parts", "unet_options")}
    _kinds({key: value for key, value in plain.items() if key != "year"}, str, Entry)
    _of_kind("year", plain.get("year", 0), int)
    shared = _record("unet_options", record.get("unet_options", {}))
    records = _record("parts", record["parts"])
    parts = {part: _part(_record(f"part '{part}'", r), shared) for part, r in records.items()}
    for part, found in parts.items():
        model_files(f"{name}/{part}", found)
    return Entry(name, parts, **plain)


def _part(record: Mapping[str, Any], shared: Mapping[str, Any]) -> Part:
    files = record.get("files", [])
    if not isinstance(files, list):
        raise TypeError("'files' is no list")
    found = tuple(_file(_record("a file", file)) for file in cast("list[Any]", files))
    named = {"layout": OURS, **record, "kind": record["kind"]}
    kind, layout = (_of_kind(key, named[key], str) for key in ("kind", "layout"))
    common = shared if kind == "UNet" else {}
    options = {**common, **_record("options", record.get("options") or {})} or None
    return Part(kind_of(kind), layout, options, found)


def _file(record: Mapping[str, Any]) -> PublishedFile:
    """A file of a part. Raises TypeError, ValueError."""
    texts = {key: record[key] for key in ("url", "sha256") if record.get(key) is not None}
    numbers = {
        key: n for key, n in record.items() if key not in ("url", "sha256") and n is not None
    }
    _kinds(texts, str, PublishedFile)
    _kinds(numbers, int, PublishedFile)
    if any(number < 0 for number in numbers.values()):
        raise ValueError("a number of a file is negative")
    return PublishedFile(**texts, **numbers)


def _kinds(record: Mapping[str, Any], kind: type, owner: type) -> None:
    """Raises TypeError where a value is of another kind, or is not known at all."""
    known = [field.name for field in fields(owner)]
    for key, value in record.items():
        if key not in known:
            raise TypeError(f"'{key}' is not known; there are {', '.join(known)}")
        _of_kind(key, value, kind)


def _of_kind(key: str, value: Any, kind: type) -> Any:
    if not isinstance(value, kind) or isinstance(value, bool):
        wanted = "a text" if kind is str else "a whole number"
        raise TypeError(f"'{key}' is {value!r:.80}, where {wanted} is expected")
    if isinstance(value, str) and HALF.search(value):
        raise ValueError(f"'{key}' holds half a character (a lone surrogate)")
    return value


def _record(what: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{what} is {value!r:.80}, where names with values are expected")
    found = cast("dict[str, Any]", value)
    for key in (what, *found):
        _of_kind(what, key, str)
    return found


def kind_of(name: str) -> str:
    """The port type of a model that a file calls so."""
    return _NAMED.get(name, name)


def name_of(kind: str) -> str:
    """What a file calls a model of a port type."""
    return next((name for name, found in _NAMED.items() if found == kind and name != "Clip"), kind)


def find_part(name: str) -> Part | None:
    """The part of a name such as `openai/glide/base`, or None."""
    bundle, _, part = name.rpartition("/")
    entry = entries().get(bundle)
    return entry.parts.get(part) if entry else None


def model_files(name: str, part: Part) -> tuple[ModelFile, ...]:
    """The files of a part, with where they belong on this machine."""
    return tuple(
        ModelFile(name, f.url, f.size or 4 * f.parameters, f.size is not None, f.sha256)
        for f in part.files
    )


def part_kinds(bundle: str, readable: Callable[[str], Path] = Path) -> dict[str, str]:
    """Port types of a bundle's parts: `{"base": "UNet", …}`; `readable` gives the place of a folder.

    Raises UnknownModel, ValueError for a file that cannot be read, what `readable` raises.
    """
    known = entries()
    if bundle in known:
        return {name: part.kind for name, part in known[bundle].parts.items()}
    with suppress(FileNotFoundError):
        folder = readable(bundle)
        if folder.is_dir():
            return _kinds_in(folder)
    near = meant(nearest(bundle, known))
    beside = f"; the nearest is '{near}'" if near else ""
    message = f"'{bundle}' is neither in the catalogue nor a folder"
    raise UnknownModel(message, f"`nodegraph models` lists the catalogue{beside}")


def _kinds_in(folder: Path) -> dict[str, str]:
    foreign = foreign_kinds(folder)
    if foreign is not None:
        return foreign
    configs = sorted(folder.glob(f"*/{CONFIG_FILE}"))
    return {config.parent.name: _kind(config) for config in configs}


def _kind(config: Path) -> str:
    kind = read_json(config).get("kind", "UNet")
    if not isinstance(kind, str):
        raise ValueError(f"{config}: 'kind' is the name of a kind of models, not {kind!r:.80}")
    return kind_of(kind)


def shipped_folder(name: str) -> Path | None:
    """Folder of a shipped part (`shapes/glide/base`), or None when its weights are not in this installation."""
    family, _, rest = name.partition("/")
    if family != "shapes":
        return None
    folder = real_path(SHIPPED / rest)
    inside = folder.is_relative_to(real_path(SHIPPED))
    return folder if inside and (folder / CONFIG_FILE).exists() else None


def listing() -> list[Listing]:
    """The catalogue for people and for downloads, with the parts whose weights are here. Raises BadCatalogue."""
    return [_listing(entry) for entry in entries().values()]


def model_names() -> list[str]:
    """Names of all models of the catalogue. Raises BadCatalogue."""
    return [f"{entry.name}/{part}" for entry in entries().values() for part in entry.parts]


def _listing(entry: Entry) -> Listing:
    files = {part: model_files(f"{entry.name}/{part}", entry.parts[part]) for part in entry.parts}
    every = tuple(file for of_part in files.values() for file in of_part)
    here = tuple(part for part in entry.parts if _is_here(f"{entry.name}/{part}", files[part]))
    size = sum(_shipped_size(f"{entry.name}/{part}") for part in entry.parts)
    return Listing(
        entry.name,
        tuple(entry.parts),
        entry.licence,
        size + sum(file.size for file in every),
        here,
        entry.source,
        entry.card,
        entry.card_url,
        entry.terms,
        every,
        CHECK,
        entry.year,
    )


def _is_here(name: str, files: tuple[ModelFile, ...]) -> bool:
    return all(file.kept for file in files) if files else shipped_folder(name) is not None


def _shipped_size(name: str) -> int:
    folder = shipped_folder(name)
    path = None if folder is None else folder / WEIGHTS_FILE
    return path.stat().st_size if path and path.exists() else 0
