"""What tells literals apart without reading them as what they are: files by their bytes. Imports no torch."""

import stat
from typing import Any

from nodegraph.base.contents import sha256_of
from nodegraph.base.framing import digest
from nodegraph.library.port import Context
from nodes.checkpoints.files import adapter_digest, adapter_file
from nodes.training.folder_digest import folder_digest

LARGE = 2**30
"""Bytes of a file that goes by its state, not by its content, which would take seconds to read."""


def of_file(kind: str, literal: Any, context: Context) -> str:
    """The sha256 of a file. Raises what `readable` raises, and OSError.

    What is no file is told when it is read as one, so it only has to differ from all files.
    """
    path = context.readable(str(literal))
    status = path.stat()
    if stat.S_ISREG(status.st_mode) and status.st_size <= LARGE:
        return sha256_of(path)
    times = status.st_mtime_ns, status.st_ctime_ns
    return digest(path, status.st_mode, status.st_size, times, status.st_ino)


def of_written_folder(kind: str, literal: Any, context: Context) -> str:
    """The place of a folder to write: what lies in it is not looked at."""
    return str(context.writable(str(literal)))


def of_read_folder(kind: str, literal: Any, context: Context) -> str:
    """The names and contents of all files below a folder."""
    return folder_digest(context.readable(str(literal)))


def of_adapter(kind: str, literal: Any, context: Context) -> str:
    """What an adapter is, by its file and its options. Raises FileNotFoundError, or what `readable` raises."""
    return adapter_digest(adapter_file(str(literal), context.readable))
