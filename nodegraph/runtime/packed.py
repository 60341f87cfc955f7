"""An entry of the cache as bytes, to be sent or kept elsewhere: a digest, then its files, in a ZIP that packs nothing.

The digest is over the key and the files: bytes that were changed, or lie under another key, are told from an entry.
"""

import io
from hashlib import blake2b
from pathlib import Path
from zipfile import ZipFile

from nodegraph.runtime.keys import Key

DIGEST = 32
"""Bytes of the digest."""


class Damaged(ValueError):
    """Bytes that are not what was packed under this key."""


def packed(entry: Path, key: Key) -> bytes:
    """The folder of an entry, as bytes. Raises OSError."""
    made = io.BytesIO()
    with ZipFile(made, "w") as archive:
        for path in sorted(entry.rglob("*")):
            archive.write(path, path.relative_to(entry).as_posix())
    content = made.getvalue()
    return _digest(key, content) + content


def intact(content: bytes, key: Key) -> bytes:
    """The files of packed bytes, still packed. Raises Damaged."""
    files = content[DIGEST:]
    if content[:DIGEST] != _digest(key, files):
        raise Damaged("what lies there is not what was put there")
    return files


def unpack(files: bytes, entry: Path) -> None:
    """Lay intact files into a new folder. Raises OSError."""
    entry.mkdir()
    with ZipFile(io.BytesIO(files)) as archive:
        archive.extractall(entry)


def _digest(key: Key, files: bytes) -> bytes:
    return blake2b(files, digest_size=DIGEST, key=key).digest()
