"""`nodegraph run --watch`: again when a file is saved."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from nodegraph.cli.console import errors

PAUSE = 0.2
"""Seconds between two looks."""


def watched(run: Callable[[], Mapping[Path, str]]) -> None:
    """Run, and again whenever one of the files holds another text than was read, until the user interrupts."""
    try:
        while True:
            texts = run()
            names = ", ".join(path.name for path in texts)
            errors.print(f"watching {names}; Ctrl-C ends it")
            wait(texts)
    except KeyboardInterrupt:
        return


def wait(texts: Mapping[Path, str]) -> None:
    """Return when a file does not hold its text any more.

    One that is gone is being saved by way of another name: it is waited for. Texts are compared, not times, so that what is
    saved while a run still goes on is not missed.
    """
    while all(now(path) in (None, text) for path, text in texts.items()):
        time.sleep(PAUSE)


def now(path: Path) -> str | None:
    """The text of a file; None where it cannot be read."""
    try:
        return path.read_bytes().decode("utf-8", errors="replace")
    except OSError:
        return None
