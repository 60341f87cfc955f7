"""Where the program keeps things, and which paths a graph may touch."""

import errno
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path


class Outside(PermissionError):
    """A graph asked for a file that it may not touch."""


TEXT_LIMIT = 2**20
"""Bytes of a graph file: a hundred times the largest that is shipped."""


class NoFile(OSError):
    """What lies there is no regular file: a folder, a pipe, a device."""


class LargeFile(OSError):
    """A file that is larger than its kind can be."""


def read_text(path: Path, limit: int = TEXT_LIMIT) -> str:
    """The text of a regular file of at most `limit` bytes.

    Raises NoFile, LargeFile, another OSError or UnicodeDecodeError; `why` puts each into words.
    """
    try:
        status = path.stat()
    except ValueError:  # a name with a null byte
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path)) from None
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe, a socket or a device"
        raise NoFile(errno.EINVAL, f"it is {kind}", str(path))
    with path.open("rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise LargeFile(errno.EFBIG, f"it is larger than {limit / 2**20:g} MiB", str(path))
    return content.decode("utf-8")


def why(error: OSError | UnicodeDecodeError) -> str:
    """Why a file cannot be read, in a few words."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    return error.strerror or str(error)


def cache_folder() -> Path:
    """The folder of caches: `NODEGRAPH_CACHE`, or the user's cache folder."""
    given = os.environ.get("NODEGRAPH_CACHE")
    return Path(given).expanduser() if given else user_cache_path("nodegraph")


def models_folder() -> Path:
    """The folder of fetched models: `NODEGRAPH_MODELS`, or `models` in the folder of caches. Clearing the cache spares it."""
    given = os.environ.get("NODEGRAPH_MODELS")
    return Path(given).expanduser() if given else cache_folder() / "models"


def is_file(path: Path) -> bool:
    """Whether a regular file lies there; a text that is too long, or otherwise none, is no path."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Whether a folder lies there."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Folders and files that a run may read, and the one folder below which it may write."""

    readable: tuple[Path, ...]
    writable: Path

    def reading(self, path: Path) -> Path:
        """The real path. Raises Outside unless it lies in a readable place, FileNotFoundError if it is not there."""
        try:
            real = path.expanduser().resolve()
        except (RuntimeError, ValueError) as error:
            raise ValueError(f"'{path}' is no path: {error}") from None
        if not _within(real, self.readable):
            raise Outside(
                "a graph reads only below its own folder and what the command line (in Python: readable) names; "
                f"'{path}' lies outside"
            )
        if not real.exists():
            raise FileNotFoundError(f"there is no file '{path}'")
        return real

    def writing(self, relative: str) -> Path:
        """The real path below the output folder. Raises Outside for any other."""
        real = (self.writable / relative).resolve()
        if not _within(real, (self.writable,)):
            raise Outside(f"a graph writes only below the output folder; '{relative}' lies outside")
        return real


def _within(path: Path, places: Iterable[Path]) -> bool:
    return any(path == place.resolve() or path.is_relative_to(place.resolve()) for place in places)
