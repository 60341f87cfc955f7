"""What a folder of captioned pictures holds, in each of the ways that people keep them. Imports no torch."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nodegraph.base.paths import read_text, why

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
METADATA = ("metadata.jsonl", "metadata.csv")
LARGEST = 256 * 2**20
"""Bytes of a metadata file."""
TEXTS = ("text", "caption")


@dataclass(frozen=True, slots=True)
class Listed:
    """A picture, its caption (empty for none), and the folder that is its class."""

    file: Path
    caption: str
    kind: str | None = None


def listed(folder: Path) -> tuple[Listed, ...]:
    """The pictures of a folder in order of their names.

    `metadata.jsonl` or `metadata.csv` names them by `file_name`, with a column of texts; else they lie in the folder, or in
    one folder for each class, with `NAME.txt` or the name of the class as caption. Raises ValueError naming the file that
    cannot be read, or when there is no picture.
    """
    for name in METADATA:
        if (folder / name).exists():
            found = _of_metadata(folder / name)
            break
    else:
        found = _of_files(folder)
    if not found:
        raise ValueError(f"there is no picture ({', '.join(SUFFIXES)}) in {folder}")
    return found


def classes(pictures: Sequence[Listed]) -> tuple[str, ...]:
    """The classes in order of their names; empty where some picture has none."""
    kinds = {picture.kind for picture in pictures}
    return tuple(sorted(kind for kind in kinds if kind)) if None not in kinds else ()


def _of_files(folder: Path) -> tuple[Listed, ...]:
    inside = [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]
    return tuple(
        _beside_text(file, place.name if place != folder else None)
        for place in inside
        for file in sorted(place.iterdir())
        if file.suffix.lower() in SUFFIXES
    )


def _beside_text(file: Path, kind: str | None) -> Listed:
    text = file.with_suffix(".txt")
    try:
        if text.exists():
            return Listed(file, read_text(text).strip(), kind)
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the caption {text} cannot be read: {why(error)}") from None
    return Listed(file, (kind or "").replace("_", " "), kind)


def _of_metadata(file: Path) -> tuple[Listed, ...]:
    """Ref: https://huggingface.co/docs/datasets/image_dataset."""
    try:
        text = read_text(file, LARGEST).removeprefix("\ufeff")
        rows = list(_lines(text) if file.suffix == ".jsonl" else csv.DictReader(io.StringIO(text)))
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} cannot be read: {why(error)}") from None
    except csv.Error as error:
        raise ValueError(f"{file} cannot be read: {error}") from None
    if not rows:
        return ()
    column = _text_column(file, rows[0])
    found = [Listed(_named(file, row), _said(row.get(column))) for row in rows]
    return tuple(sorted(found, key=lambda picture: picture.file))


def _lines(text: str) -> Iterator[Mapping[str, Any]]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            if not isinstance(row, dict):
                raise ValueError(f"line {number} of the metadata holds no JSON object")
            yield row


def _text_column(file: Path, row: Mapping[str, Any]) -> str:
    """The column of the captions: `text`, `caption`, or the only one beside `file_name`."""
    others = [name for name in row if name not in ("file_name", None)]
    chosen = next((name for name in TEXTS if name in others), None)
    if chosen is None and len(others) == 1:
        return others[0]
    if chosen is None and others:
        known = ", ".join(map(str, others))
        raise ValueError(f"{file} has no column 'text' or 'caption'; there are {known}")
    return chosen or "text"


def _named(file: Path, row: Mapping[str, Any]) -> Path:
    """The picture of a row, which lies below the folder of the metadata."""
    name = row.get("file_name")
    if not isinstance(name, str) or not name or "\0" in name:
        raise ValueError(f"{file} has a row without 'file_name'")
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ValueError(f"{file} names a picture outside of its folder: {name!r}")
    return file.parent / name


def _said(value: Any) -> str:
    """A caption; of several, the first."""
    if isinstance(value, list):
        value = value[0] if value else ""
    return "" if value is None else str(value).strip()
