"""Files that are whole or not there: made in a scratch folder beside their place, and renamed into it.

A scratch folder is locked by the process that makes it. What a killed process left is locked by nobody, and is swept.
"""

import secrets
import shutil
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

SUFFIX = ".partial"
LOCK = "lock"
YOUNG = 60.0
"""Seconds in which a scratch folder may have no lock yet."""


@contextmanager
def scratch(folder: Path) -> Generator[Path]:
    """A folder of one's own below `folder`, which is made if need be; it goes at the end, with what is still in it.

    Raises OSError where nothing can be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f".{secrets.token_hex(8)}{SUFFIX}"
    path.mkdir()
    with _held(path):
        yield path


@contextmanager
def replacing(path: Path) -> Generator[Path]:
    """A path of the same name to write to; it takes the place of `path` when all went well. Follows a link."""
    real = path.resolve()
    sweep(real.parent)
    with scratch(real.parent) as beside:
        made = beside / real.name
        yield made
        if real.exists():
            shutil.copymode(real, made)
        made.replace(real)


def write_text(path: Path, text: str) -> None:
    """Write a text as UTF-8, whole or not at all, line ends as they are."""
    with replacing(path) as made:
        made.write_text(text, encoding="utf-8", newline="")


@contextmanager
def claimed(folder: Path, stem: str) -> Generator[tuple[Path, str]]:
    """A scratch folder and a name `stem-001`, `stem-002`, … that is nobody else's, nor the beginning of a file's name.

    What lies in the scratch folder at the end is moved to `folder`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = _claim(folder, stem)
    with _held(path):
        yield path, path.name.removeprefix(".").removesuffix(SUFFIX)
        for made in sorted(path.iterdir()):
            if made.name != LOCK:
                made.replace(folder / made.name)


@contextmanager
def _held(path: Path) -> Generator[None]:
    """Hold the lock of a scratch folder, and remove the folder after."""
    from filelock import FileLock

    try:
        with FileLock(path / LOCK):
            yield
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _claim(folder: Path, stem: str) -> Path:
    """Make the scratch folder of the next free number. A number that has one is another process's."""
    for number in count(_last(folder, stem) + 1):
        path = folder / f".{stem}-{number:03d}{SUFFIX}"
        with suppress(FileExistsError):
            path.mkdir()
            # Another process may have finished with this number between the look and the claim.
            if _last(folder, stem) < number:
                return path
            path.rmdir()
    raise AssertionError("unreachable: the numbers do not end")


def _last(folder: Path, stem: str) -> int:
    """The highest number of the files `stem-NNN…` of a folder; 0 where there is none."""
    ends = (p.name[len(stem) + 1 :] for p in folder.iterdir() if p.name.startswith(f"{stem}-"))
    digits = (end[: len(end) - len(end.lstrip("0123456789"))] for end in ends)
    return max((int(found) for found in digits if found), default=0)


def sweep(folder: Path) -> None:
    """Remove the scratch folders that no living process holds."""
    with suppress(OSError):
        for path in folder.glob(f".*{SUFFIX}"):
            if path.is_dir() and _abandoned(path):
                shutil.rmtree(path, ignore_errors=True)


def _abandoned(path: Path) -> bool:
    """Whether nobody holds the lock; a folder that has none yet is given a minute."""
    from filelock import FileLock, Timeout

    try:
        if not (path / LOCK).exists() and path.stat().st_mtime > time.time() - YOUNG:
            return False
        with FileLock(path / LOCK, timeout=0):
            return True
    except (Timeout, OSError):
        return False
