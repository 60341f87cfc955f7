"""The contents of values and files as bytes: what has none, digests, and a fast checksum of what has many."""

import hashlib
import sys
from pathlib import Path
from typing import Any


class Unframed(TypeError):
    """A value that has no bytes of its own: a function, a network, anything whose content is not known."""


def checksum(content: Any) -> bytes:
    """A fast checksum of an array of bytes: sums of every 127th of its eights, which no shift of rows leaves alike."""
    numpy: Any = sys.modules["numpy"]
    whole = len(content) // 1016 * 1016
    sums = content[:whole].view(numpy.uint64).reshape(-1, 127).sum(0)
    return bytes(sums.tobytes() + content[whole:].tobytes())


def sha256_of(path: Path) -> str:
    """sha256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def state_of(path: Path) -> str:
    """What tells a file from what it was before it was written to: place, size, time and inode."""
    status = path.stat()
    return f"{path}|{status.st_size}|{status.st_mtime_ns}|{status.st_ino}"
