"""`nodegraph run --watch`: again when a file is saved."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from nodegraph.cli.console import errors

PAUSE = 0.2
"""Seconds between two looks."""
State = tuple[int, int, int]


def watched(run: Callable[[], Sequence[Path]]) -> None:
    """Run, and again whenever one of the files that it gives was saved, until the user interrupts."""
    try:
        while True:
            files = run()
            names = ", ".join(path.name for path in files)
            errors.print(f"watching {names}; Ctrl-C ends it")
            wait(files, [state(path) for path in files])
    except KeyboardInterrupt:
        return


def wait(files: Sequence[Path], before: Sequence[State | None]) -> None:
    """Return when a file is not what it was. One that is gone is being saved by way of another name: it is waited for."""
    while all(now in (None, then) for now, then in zip(map(state, files), before, strict=True)):
        time.sleep(PAUSE)


def state(path: Path) -> State | None:
    """What tells a saved file from the one before; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
