"""What shipped graphs make, in small: pictures that lie in the wheel."""

import re
from pathlib import Path

from nodegraph.base.paths import is_file

FOLDER = Path(__file__).with_name("gallery")
"""Made by `docs/make_gallery.py`."""
_NAME = re.compile(r"\w+(/\w+)*")


def thumbnail_of(name: str) -> Path | None:
    """The picture of a shipped graph by its name; None where there is none."""
    if not _NAME.fullmatch(name):
        return None
    path = FOLDER / f"{name}.webp"
    return path if is_file(path) else None
