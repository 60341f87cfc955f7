"""Where the program keeps things, and which paths a graph may touch."""

import errno
import json
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from platformdirs import user_cache_path


class Outside(PermissionError):
    """A graph asked for a file that it may not touch."""


TEXT_LIMIT = 2**20
"""Bytes of a graph file: a hundred times the largest that is shipped."""
JSON_LIMIT = 16 * 2**20
"""Bytes of a file of JSON: configurations, catalogues, vocabularies."""
LONGEST_NAME = 200
"""Bytes of the name of a file to write: what is numbered, and written beside, has a longer one."""
LINKS_DEPTH = 2
"""How deep a folder that is read is searched for links that lead out: the parts of a bundle, and their files."""


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


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object of a file. Raises ValueError that names the file, for anything else."""
    try:
        found = json.loads(read_text(path, JSON_LIMIT))
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {why(error)}") from None
    except RecursionError:
        raise ValueError(f"{path} cannot be read: it is nested too deep") from None
    except ValueError as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"{path} holds no options, no JSON object")
    return cast("dict[str, Any]", found)


def why(error: OSError | UnicodeDecodeError) -> str:
    """Why a file cannot be read, in a few words."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    return error.strerror or str(error)


def cache_folder() -> Path:
    """The folder of caches: `NODEGRAPH_CACHE`, or the user's cache folder."""
    given = os.environ.get("NODEGRAPH_CACHE")
    return _home(given) if given else user_cache_path("nodegraph")


def results_folder() -> Path:
    """The folder of results that are kept."""
    return cache_folder() / "results"


def models_folder() -> Path:
    """The folder of fetched models: `NODEGRAPH_MODELS`, or `models` in the folder of caches. Clearing the cache spares it."""
    given = os.environ.get("NODEGRAPH_MODELS")
    return _home(given) if given else cache_folder() / "models"


def _home(given: str) -> Path:
    """A folder that the environment names; `~nosuch` is a folder of that name."""
    try:
        return expanded(given)
    except ValueError:
        return Path(given)


def expanded(path: str | Path) -> Path:
    """The path with `~` and `~name` replaced by homes. Raises ValueError for the home of nobody."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ValueError(f"'{path}' begins with the home folder of nobody here") from None


def real_path(path: str | Path) -> Path:
    """The path without links and dots, whether it is there or not. Raises ValueError for what can be no path."""
    try:
        return Path(os.path.realpath(path))
    except ValueError as error:  # a null byte
        raise ValueError(f"'{path}' is no path: {error}") from None


def is_file(path: Path) -> bool:
    """Whether a regular file lies there; a text that is too long, or otherwise none, is no path."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_there(path: Path) -> bool:
    """Whether anything lies there."""
    try:
        return path.exists()
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
    """Folders and files that a run may read, and the one folder below which it may write.

    `named`: those that a person named for this run. What links in them lead to was put there by that person, and is
    followed; links in a graph's own folder, which comes from anybody, lead nowhere outside.
    """

    readable: tuple[Path, ...]
    writable: Path
    named: tuple[Path, ...] = ()

    def reading(self, path: Path) -> Path:
        """The real path of a file or folder.

        Raises Outside unless it, and all that links in a folder lead to, lies in a readable place; FileNotFoundError if it
        is not there; NoFile for a pipe or a device; ValueError for what can be no path.
        """
        named = tuple(real_path(_home(str(place))) for place in self.named)
        places = (*map(real_path, self.readable), *named)
        real = real_path(expanded(path))
        if not _within(real, places):
            raise Outside(
                "a graph reads only below its own folder and what the command line (in Python: readable) names; "
                f"'{path}' lies outside"
            )
        if _is_folder(real, path) and not _within(real, named):
            for link in _links(real):
                if not _within(real_path(link), places):
                    raise Outside(f"'{path}' holds a link, '{link.name}', to a place outside")
        return real

    def writing(self, relative: str) -> Path:
        """The real path below the output folder.

        Raises Outside for any other, and where a link in it, or beside it under its name, leads out.
        """
        place = real_path(self.writable)
        real = real_path(self.writable / relative)
        if not _within(real, (place,)):
            raise Outside(f"a graph writes only below the output folder; '{relative}' lies outside")
        if any(len(os.fsencode(part)) > LONGEST_NAME for part in Path(relative).parts):
            raise ValueError(f"'{relative:.40}…' is too long for the name of a file")
        beside = (p for p in _links(real.parent, 1) if p.name.startswith(real.stem))
        for link in (*beside, *_links(real, 2 * LINKS_DEPTH)):
            if not _within(real_path(link), (place,)):
                raise Outside(f"'{link.name}' in the output folder is a link to a place outside")
        return real


def _within(path: Path, places: Iterable[Path]) -> bool:
    return any(path == place or path.is_relative_to(place) for place in places)


def _is_folder(real: Path, path: Path) -> bool:
    """Whether it is a folder, and no file. Raises FileNotFoundError, NoFile for anything else."""
    try:
        mode = real.stat().st_mode
    except OSError as error:
        absent = error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
        reason = "" if absent else f": {error.strerror}"
        raise FileNotFoundError(f"there is no file '{path}'{reason}") from None
    if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
        raise NoFile(f"'{path}' is a pipe, a socket or a device, and no file")
    return stat.S_ISDIR(mode)


def _links(folder: Path, depth: int = LINKS_DEPTH) -> Iterator[Path]:
    """The links in a folder and the folders in it, without hidden ones: nothing reads those unless it is named."""
    waiting = [(folder, 1)]
    while waiting:
        place, level = waiting.pop()
        with suppress(OSError), os.scandir(place) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_symlink():
                    yield Path(entry.path)
                elif level < depth and entry.is_dir():
                    waiting.append((Path(entry.path), level + 1))
