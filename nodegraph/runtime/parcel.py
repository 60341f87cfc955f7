"""Outputs of a run on their way to another process: laid down in a folder as results are kept, and taken from there."""

import secrets
import shutil
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nodegraph.language.program import Program
from nodegraph.library.port import TypeRef
from nodegraph.runtime.cache import Disk, Kept, entry_of
from nodegraph.runtime.keys import SIZE, Key
from nodegraph.runtime.literals import Library
from nodegraph.runtime.packed import intact, packed, unpack
from nodegraph.runtime.writing import type_of


@dataclass(frozen=True, slots=True)
class Parcel:
    """Where the outputs of one run lie: an entry of a cache of its own, never pickled, whole or not there."""

    folder: Path
    key: Key
    names: tuple[str, ...]
    """The outputs in it; live values cannot be sent, and are left out."""

    def take(self, program: Program, library: Library) -> dict[str, Any]:
        """The outputs, as the types of a library read them; the parcel is gone then. Empty where it cannot be read."""
        disk = _disk(self.folder, library)
        kept = disk.get(self.key, _types(program, self.names))
        shutil.rmtree(disk.path(self.key), ignore_errors=True)
        return {} if kept is None else dict(zip(self.names, kept.outputs, strict=True))

    def packet(self) -> "Packet | None":
        """What lies there, for another machine; the parcel is gone then. None where it cannot be read."""
        entry = entry_of(self.folder, self.key)
        try:
            return Packet(packed(entry, self.key), self.key, self.names)
        except OSError:
            return None
        finally:
            shutil.rmtree(entry, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Packet:
    """A parcel as bytes, on its way to another machine."""

    content: bytes
    key: Key
    names: tuple[str, ...]

    def laid(self, folder: Path) -> Parcel | None:
        """Lay it down in a folder of this machine; None where it cannot be written. Raises Damaged."""
        files, entry = intact(self.content, self.key), entry_of(folder, self.key)
        with suppress(OSError):
            entry.parent.mkdir(exist_ok=True)
            unpack(files, entry)
            return Parcel(folder, self.key, self.names)
        return None


def parcel(
    program: Program, library: Library, outputs: Mapping[str, Any], folder: Path
) -> Parcel | None:
    """Lay down the outputs of a run; None where they could not be written."""
    disk = _disk(folder, library)
    names = tuple(n for n in outputs if disk.keeps(_types(program, [n])))
    key = secrets.token_bytes(SIZE)
    entry = disk.path(key)  # its own: nobody knows of it until it is whole
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        disk.make(entry, Kept(tuple(outputs[n] for n in names)), _types(program, names))
    except Exception:  # of the library of a format, as of a full disk
        shutil.rmtree(entry, ignore_errors=True)
        return None
    return Parcel(folder, key, names)


def _types(program: Program, names: Iterable[str]) -> list[TypeRef]:
    return [type_of(program, name) for name in names]


def _disk(folder: Path, library: Library) -> Disk:
    return Disk(folder, library, limit=sys.maxsize)
