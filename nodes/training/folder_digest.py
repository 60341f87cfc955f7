"""The content of a folder as a digest. Imports no torch."""

import json
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

from nodegraph.base.contents import sha256_of
from nodegraph.base.framing import digest
from nodegraph.base.partial import write_text
from nodegraph.base.paths import cache_folder, read_json, real_path


def folder_digest(folder: Path) -> str:
    """A digest of the names and contents of all files below a folder.

    A file is read again only when its size or one of its times has changed: what is known stands in the cache.
    """
    index = cache_folder() / "folders" / f"{digest(real_path(folder))[:24]}.json"
    known = _read_index(index)
    found = {p.relative_to(folder).as_posix(): _state(p) for p in sorted(folder.rglob("*"))}
    for name, state in found.items():
        if state:
            before: Any = known.get(name)
            same = isinstance(before, list) and before[:-1] == state
            state.append(before[-1] if same else sha256_of(folder / name))
    if found != known:
        with suppress(OSError):
            write_text(index, json.dumps(found))
    return digest([(name, state[-1:]) for name, state in found.items()])


def _state(path: Path) -> list[Any]:
    """By what one sees that a file has changed; nothing for what is no file."""
    with suppress(OSError):
        status = path.stat()
        if stat.S_ISREG(status.st_mode):
            times = status.st_mtime_ns, status.st_ctime_ns
            return [status.st_size, *times, status.st_ino]
    return []


def _read_index(path: Path) -> dict[str, Any]:
    try:
        return read_json(path)
    except (OSError, ValueError):
        return {}
