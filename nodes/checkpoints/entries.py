"""What a catalogue says of bundles: their parts, licence and files. Imports no torch.

A `catalogue.json` has many bundles; the `bundle.json` of a folder that was pushed has one, whose files lie in that folder.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from nodegraph.base.contents import state_of
from nodegraph.base.paths import read_json
from nodegraph.models.catalogue import BUNDLE, ModelFile, file_name

OURS = "nodegraph"
"""Our own layout."""
HALF = re.compile("[\ud800-\udfff]")
_NAMED = {"Clip": "NoisedClip", "OpenClip": "Clip"}
"""Port types by the names that files have for them. In a file `Clip` has never been the clean CLIP, and never will be: files
outlive programs."""


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """One file of a part, with the numbers of its parameters and (`keys`) of its tensors; `size` (bytes) and `sha256` where
    publicly known. `kept_as`: the name under which it is kept, where that is not its address's."""

    url: str
    parameters: int
    keys: int | None = None
    size: int | None = None
    sha256: str | None = None
    kept_as: str | None = None

    @property
    def name(self) -> str:
        return self.kept_as or file_name(self.url)


@dataclass(frozen=True, slots=True)
class Part:
    """One model of a bundle: its port type; if it is published, its layout, the options it was built with, and its
    files, in the order of the layout (CLIP's image encoder, then its text encoder). `vocabulary`: what its tokenizer reads."""

    kind: str
    layout: str = OURS
    options: Mapping[str, Any] | None = None
    files: tuple[PublishedFile, ...] = ()
    vocabulary: tuple[PublishedFile, ...] = ()


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


class BadCatalogue(ValueError):
    """A catalogue file that cannot be read: names the file and the bundle."""


def known(path: Path) -> Mapping[str, Entry]:
    """What a file says of bundles, by their names; read once for each state of it. Raises BadCatalogue."""
    return _read(path, state_of(path))


@lru_cache(16)
def _read(path: Path, state: str) -> Mapping[str, Entry]:
    try:
        return entries_of(read_json(path), str(path))
    except BadCatalogue:
        raise
    except ValueError as error:
        raise BadCatalogue(str(error)) from None


def entries_of(record: Mapping[str, Any], place: str) -> dict[str, Entry]:
    """What a catalogue's JSON says of bundles, by their names. Raises BadCatalogue naming the place and the bundle."""
    name = ""
    found: dict[str, Entry] = {}
    try:
        for name, entry in record.items():
            found[name] = _entry(name, _record("it", entry))
    except (ValueError, TypeError, KeyError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else error
        raise BadCatalogue(f"{place}: '{name}': {reason}") from None
    return found


def folder_entry(folder: Path) -> Entry | None:
    """The bundle that its own folder describes; None for a folder that does not. Raises BadCatalogue."""
    path = folder / BUNDLE
    return own_entry(known(path), str(path)) if path.is_file() else None


def own_entry(found: Mapping[str, Entry], place: str) -> Entry:
    """The one bundle of a folder, whose files lie in it. Raises BadCatalogue for any other."""
    if len(found) != 1:
        raise BadCatalogue(f"{place} describes {len(found)} bundles, where a folder is one")
    (entry,) = found.values()
    for name, part in entry.parts.items():
        try:
            _below(part)
        except ValueError as error:
            raise BadCatalogue(f"{place}: '{entry.name}/{name}': {error}") from None
    return entry


def _below(part: Part) -> None:
    """Raises ValueError for a part that has no files, or whose files or vocabulary lie elsewhere."""
    if not part.files:
        raise ValueError("it has no files")
    for file in (*part.files, *part.vocabulary):
        inside(file.url)
    options = part.options or {}
    tokenizer = options.get("tokenizer")
    named = cast("dict[str, Any]", tokenizer) if isinstance(tokenizer, dict) else {}
    if isinstance(options.get("vocabulary"), str) or named.get("folder"):
        raise ValueError("its tokenizer reads a folder that is not in the bundle's")


def inside(url: str) -> PurePosixPath:
    """The place of a file in the folder of its bundle. Raises ValueError for an address, or a way out of the folder."""
    path = unquote(url)
    parts = path.split("/")
    address = urlsplit(url)
    others = address.scheme or address.query or address.fragment or set(path) & set("\\:\0")
    if others or {"", ".", ".."} & set(parts):
        raise ValueError(f"'{url}' is no file in the bundle's folder")
    return PurePosixPath(path)


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
    named = {"layout": OURS, **record, "kind": record["kind"]}
    kind, layout = (_of_kind(key, named[key], str) for key in ("kind", "layout"))
    common = shared if kind == "UNet" else {}
    options = {**common, **_record("options", record.get("options") or {})} or None
    files, vocabulary = (tuple(_files(record, key)) for key in ("files", "vocabulary"))
    return Part(kind_of(kind), layout, options, files, vocabulary)


def _files(record: Mapping[str, Any], key: str) -> Iterator[PublishedFile]:
    files = record.get(key, [])
    if not isinstance(files, list):
        raise TypeError(f"'{key}' is no list")
    for file in cast("list[Any]", files):
        yield _file(_record("a file", file))


_TEXTS = ("url", "sha256", "kept_as")


def _file(record: Mapping[str, Any]) -> PublishedFile:
    """A file of a part. Raises TypeError, ValueError."""
    texts = {key: record[key] for key in _TEXTS if record.get(key) is not None}
    numbers = {key: n for key, n in record.items() if key not in _TEXTS and n is not None}
    _kinds(texts, str, PublishedFile)
    _kinds(numbers, int, PublishedFile)
    if any(number < 0 for number in numbers.values()):
        raise ValueError("a number of a file is negative")
    return PublishedFile(**texts, **numbers)


def _kinds(record: Mapping[str, Any], kind: type, owner: type) -> None:
    """Raises TypeError where a value is of another kind, or is not known at all."""
    named = [field.name for field in fields(owner)]
    for key, value in record.items():
        if key not in named:
            raise TypeError(f"'{key}' is not known; there are {', '.join(named)}")
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


def model_files(name: str, part: Part) -> tuple[ModelFile, ...]:
    """The files of a part, with where they belong on this machine; its vocabulary first: weights are of no use without."""
    weights = (
        ModelFile(name, f.url, f.size or 4 * f.parameters, f.size is not None, f.sha256, f.kept_as)
        for f in part.files
    )
    words = (
        ModelFile(name, f.url, f.size or 0, f.size is not None, f.sha256, f.kept_as, weights=False)
        for f in part.vocabulary
    )
    return (*words, *weights)
