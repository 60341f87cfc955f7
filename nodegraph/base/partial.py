"""Files that are whole or not there: made in a scratch folder beside their place, and renamed into it.

A scratch folder is locked by the process that makes it. What a killed process left is locked by nobody, and is swept.
"""

import os
import secrets
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

SUFFIX = ".partial"
LOCK = "lock"


@contextmanager
def scratch(folder: Path) -> Generator[Path]:
    """A folder of one's own below `folder`, which is made if need be; it goes at the end, with what is still in it.

    Raises OSError where nothing can be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _held(lambda: _made(folder / f".{secrets.token_hex(8)}{SUFFIX}")) as path:
        yield path


def _made(path: Path) -> Path:
    path.mkdir()
    return path


@contextmanager
def replacing(path: Path) -> Generator[Path]:
    """A path of the same name to write to; it takes the place of `path` when all went well. Follows a link."""
    real = Path(os.path.realpath(path))
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
    with _held(lambda: _claim(folder, stem)) as path:
        yield path, path.name.removeprefix(".").removesuffix(SUFFIX)
        for made in sorted(path.iterdir()):
            if made.name != LOCK:
                made.replace(folder / made.name)


@contextmanager
def _held(make: Callable[[], Path]) -> Generator[Path]:
    """Make a scratch folder and hold its lock; remove it after.

    Until it is locked, somebody who sweeps may take it for abandoned, or take it away as it is locked: then another one is
    made.
    """
    from filelock import FileLock, Timeout

    while True:
        path = make()
        lock = FileLock(path / LOCK, timeout=0)
        with suppress(Timeout, FileNotFoundError, FileExistsError):
            lock.acquire()
            if (path / LOCK).exists():
                break
            lock.release()
    try:
        yield path
    finally:
        lock.release()
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
            with suppress(OSError):
                _remove_if_abandoned(path)


def _remove_if_abandoned(path: Path) -> None:
    held = {entry.name for entry in path.iterdir()}
    if not held:
        path.rmdir()  # its maker has not locked it yet, and will make another; or is dead
    elif LOCK not in held:
        shutil.rmtree(path, ignore_errors=True)  # somebody was killed while removing it
    else:
        from filelock import FileLock, Timeout

        with suppress(Timeout), FileLock(path / LOCK, timeout=0):
            shutil.rmtree(path, ignore_errors=True)
