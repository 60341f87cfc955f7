"""Outputs of a run on their way to another process: laid down in a folder as results are kept, and taken from there."""

import secrets
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nodegraph.language.program import Program
from nodegraph.library.port import TypeRef
from nodegraph.runtime.cache import Disk, Kept
from nodegraph.runtime.keys import SIZE, Key
from nodegraph.runtime.literals import Library
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
        disk.remove(self.key)
        return {} if kept is None else dict(zip(self.names, kept.outputs, strict=True))


def parcel(
    program: Program, library: Library, outputs: Mapping[str, Any], folder: Path
) -> Parcel | None:
    """Lay down the outputs of a run; None where they could not be written."""
    disk = _disk(folder, library)
    names = tuple(n for n in outputs if disk.keeps(_types(program, [n])))
    key = secrets.token_bytes(SIZE)
    disk.put(key, Kept(tuple(outputs[n] for n in names)), _types(program, names))
    return Parcel(folder, key, names) if key in disk else None


def _types(program: Program, names: Iterable[str]) -> list[TypeRef]:
    return [type_of(program, name) for name in names]


def _disk(folder: Path, library: Library) -> Disk:
    return Disk(folder, library, limit=sys.maxsize)
