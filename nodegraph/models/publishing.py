"""Bundles as folders that others can fetch, and fetched from such. It knows no layout: a catalogue's `push` and `take` do."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit
from urllib.request import url2pathname

from filelock import FileLock

from nodegraph.base.partial import scratch, write_text
from nodegraph.base.paths import (
    JSON_LIMIT,
    expanded,
    is_folder,
    models_folder,
    read_json,
    read_text,
    real_path,
    why,
)
from nodegraph.models.catalogue import BUNDLE, CATALOGUE, HUB, Listing
from nodegraph.models.download import DownloadError, Remote, fetch
from nodegraph.models.store import NoModel, NotKept


@dataclass(frozen=True, slots=True)
class Publication:
    """How a bundle is pushed: into which `folder`, under which `name`, with which `licence` and text of its `card`.

    What is empty is as the bundle's own. `rest`: a bundle from which those parts come that this one has not.
    """

    folder: Path
    name: str = ""
    licence: str = ""
    card: str = ""
    rest: str = ""


@dataclass(frozen=True, slots=True)
class PushedPart:
    """A part, whose `layout` it was pushed in, and `why` that is the program's own where another was looked for."""

    name: str
    layout: str
    size: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class Pushed:
    """What was pushed; `others`: what other programs make of it, or cannot, in a sentence each."""

    name: str
    folder: Path
    parts: tuple[PushedPart, ...]
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Offer:
    """A bundle that is offered at an address or in a folder: its listing, what a catalogue keeps of it (by its name), and
    where its files lie, by their addresses, if that is this machine."""

    listing: Listing
    record: Mapping[str, Any]
    here: Mapping[str, Path]


def push(bundle: str, how: Publication, rows: Iterable[Listing]) -> Pushed:
    """Write a bundle, by a name of the catalogue or a folder, as a folder. Raises NoModel for what cannot be, NotKept."""
    write = _function(bundle, rows, "push")
    try:
        return cast(Pushed, write(bundle, how))
    except ValueError as error:
        hint = getattr(error, "hint", None)
        raise NoModel(f"{error}; {hint}" if hint else str(error)) from error
    except OSError as error:
        raise NotKept(
            str(error) if error.filename is None else f"{error.filename}: {why(error)}"
        ) from error


def is_offer(place: str, rows: Iterable[Listing]) -> bool:
    """Whether a name is that of a place, an address or a folder, and not one of the catalogue."""
    if "://" in place:
        return True
    named = any(place == row.name or place.startswith(f"{row.name}/") for row in rows)
    return not named and is_folder(Path(place))


def offer(place: str, rows: list[Listing], name: str = "") -> Offer:
    """The bundle at an address or in a folder, to be kept under its own name or another.

    Raises NotKept where nothing can be read, NoModel for a name that is taken.
    """
    place = place.rstrip("/").removesuffix(f"/{BUNDLE}")
    text, base = _read(place)
    take = _function(name, rows, "take")
    try:
        listing, record = cast("tuple[Listing, dict[str, Any]]", take(text, base, name))
    except ValueError as error:
        raise NotKept(str(error)) from error
    _untaken(listing, record, rows)
    return Offer(listing, record, _here(listing, base))


def remember(found: Offer) -> None:
    """Put a bundle that was offered into the user's own catalogue."""
    path = models_folder() / CATALOGUE
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{CATALOGUE}.lock")):
        record = {**_own(), **found.record}
        write_text(path, json.dumps(record, ensure_ascii=False, indent=1) + "\n")


def _own() -> dict[str, Any]:
    """The user's own catalogue, as it is written."""
    path = models_folder() / CATALOGUE
    try:
        return read_json(path) if path.exists() else {}
    except ValueError as error:
        raise NotKept(str(error)) from error


def _untaken(listing: Listing, record: Mapping[str, Any], rows: Iterable[Listing]) -> None:
    """Raises NoModel for a name under which a catalogue has something else."""
    name = listing.name
    if any(row.name == name for row in rows) and _own().get(name) != record[name]:
        place = models_folder() / CATALOGUE
        raise NoModel(
            f"there is another bundle '{name}' in the catalogue; --as NAME keeps this one under another name. "
            f"If that one is older: take it out of {place}, and remove {models_folder() / name}"
        )


def _read(place: str) -> tuple[str, str]:
    """What a place says of its bundle, and the address below which the files are. Raises NotKept."""
    try:
        if "://" not in place:
            folder = real_path(expanded(place))
            if not (folder / BUNDLE).exists():
                raise NotKept(
                    f"'{place}' was not pushed, as it has no {BUNDLE}; graphs can name the folder itself"
                )
            return read_text(folder / BUNDLE, JSON_LIMIT), folder.as_uri()
        with scratch(models_folder()) as room:
            return _fetched(place, room / BUNDLE)
    except DownloadError as error:
        raise NotKept(str(error)) from error
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, NotKept):
            raise
        raise NotKept(f"{place}/{BUNDLE} cannot be read: {why(error)}") from error


def _fetched(place: str, partial: Path) -> tuple[str, str]:
    """From a server, or from the Hub, where it is of one commit from now on."""
    if not place.startswith(HUB):
        fetch(Remote(f"{place}/{BUNDLE}", limit=JSON_LIMIT), partial, lambda done, total: None)
        return read_text(partial, JSON_LIMIT), place
    from nodegraph.models.hub import fetch_from_hub, hub_file, listed

    found = listed(hub_file(f"{place}/{BUNDLE}"))
    if (found.size or 0) > JSON_LIMIT:
        raise DownloadError(f"{found.url} has {found.size:,} bytes, more than any {BUNDLE}")
    fetch_from_hub(found, partial, lambda done, total: None)
    return read_text(partial, JSON_LIMIT), found.url.removesuffix(f"/{BUNDLE}")


def _here(listing: Listing, base: str) -> dict[str, Path]:
    """The files of a bundle that lies on this machine, by their addresses."""
    if not base.startswith("file:"):
        return {}
    return {f.url: Path(url2pathname(urlsplit(f.url).path)) for f in listing.files}


def _function(name: str, rows: Iterable[Listing], which: str) -> Any:
    """What a catalogue names for pushing or taking: that of the bundle's own, else the first. Raises NoModel without any."""
    known = [(row.name != name, getattr(row, which)) for row in rows if getattr(row, which)]
    if not known:
        raise NoModel("no catalogue that is installed can do that")
    module, _, function = min(known, key=lambda one: one[0])[1].partition(":")
    return getattr(import_module(module), function)
