"""What shipped graphs make, in small: pictures that lie in the wheel."""

from pathlib import Path

FOLDER = Path(__file__).with_name("pictures")


def thumbnail_of(name: str) -> Path | None:
    """The picture of a shipped graph by its name; None where there is none."""
    path = (FOLDER / f"{name.replace('/', '-')}.webp").resolve()
    return path if path.parent == FOLDER.resolve() and path.is_file() else None
