"""What somebody offers as a pushed bundle, as a catalogue is to keep it: with addresses, and no file without a digest."""

import json
from collections.abc import Mapping
from typing import Any, cast

from nodegraph.models.catalogue import Listing
from nodes.checkpoints.catalogue import listing_of
from nodes.checkpoints.entries import BadCatalogue, Entry, entries_of, own_entry

Record = dict[str, Any]


def taken(text: str, base: str, name: str = "") -> tuple[Listing, Record]:
    """The bundle of a `bundle.json` at an address, under its own name or another: as it is listed, and what a catalogue keeps.

    Raises BadCatalogue for anything that `nodegraph models push` does not write.
    """
    record = _record(text, base)
    entry = own_entry(entries_of(record, base), base)
    _digested(entry, base)
    named = name or entry.name
    kept = {named: _addressed(record[entry.name], base)}
    return listing_of(entries_of(kept, base)[named]), kept


def _record(text: str, base: str) -> Record:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadCatalogue(f"what {base} says of itself cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise BadCatalogue(f"what {base} says of itself is no JSON object")
    return cast(Record, found)


def _digested(entry: Entry, base: str) -> None:
    for name, part in entry.parts.items():
        for file in (*part.files, *part.vocabulary):
            if file.sha256 is None or file.size is None:
                raise BadCatalogue(f"{base}: '{name}': {file.url} has no size, or no sha256")


def _addressed(record: Mapping[str, Any], base: str) -> Record:
    """A bundle's record with the addresses of its files."""
    parts = {
        name: {key: _there(value, base) if key in _FILES else value for key, value in part.items()}
        for name, part in record["parts"].items()
    }
    return {**record, "parts": parts}


_FILES = ("files", "vocabulary")


def _there(files: list[Record], base: str) -> list[Record]:
    return [{**file, "url": f"{base}/{file['url']}"} for file in files]
