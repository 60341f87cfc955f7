"""PNG as a row of chunks, read without decoding a pixel: what a picture says of itself, and whether it is whole."""

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

SIGNATURE = b"\x89PNG\r\n\x1a\n"
TEXTS = (b"tEXt", b"zTXt", b"iTXt")


class DamagedPng(ValueError):
    """A file that is no PNG, or that ends early or was changed on its way. The message goes on from the file's name."""


def chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Every chunk as its kind and its bytes, IEND last. Raises DamagedPng, also for a wrong check sum."""
    if file.read(len(SIGNATURE)) != SIGNATURE:
        raise DamagedPng("is no PNG")
    kind = b""
    while kind != b"IEND":
        place = f"behind its chunk {kind.decode()}" if kind else "before its first chunk"
        length, kind = struct.unpack(">I4s", _exactly(file, 8, place))
        if not kind.isalpha():
            raise DamagedPng("is damaged: something else stands where a chunk should begin")
        found = _exactly(file, length, f"inside its chunk {kind.decode()}")
        (told,) = struct.unpack(">I", _exactly(file, 4, f"inside its chunk {kind.decode()}"))
        if zlib.crc32(found, zlib.crc32(kind)) != told:
            raise DamagedPng(f"is damaged: the check sum of its chunk {kind.decode()} is wrong")
        yield kind, found


def _exactly(file: BinaryIO, count: int, place: str) -> bytes:
    """So many bytes, read in pieces: a chunk that lies about its length costs no memory."""
    parts: list[bytes] = []
    while count:
        part = file.read(min(count, 1 << 20))
        if not part:
            raise DamagedPng(f"is cut short: it ends {place}")
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def text(file: BinaryIO, key: str, most: int) -> str | None:
    """The text that a PNG carries under a key; None where there is none.

    Raises DamagedPng for a text that is damaged, or longer than `most` bytes.
    """
    for kind, found in chunks(file):
        if kind in TEXTS and found.startswith(key.encode("latin-1") + b"\0"):
            return _decoded(kind, found[len(key) + 1 :], most)
    return None


def _decoded(kind: bytes, found: bytes, most: int) -> str:
    """The text of a chunk behind its key. Ref: PNG, third edition, §11.3.3."""
    if kind == b"tEXt":
        return _bounded(found, most).decode("latin-1")
    if kind == b"zTXt":
        return inflated(found[1:], most).decode("latin-1")
    try:
        _, _, body = found[2:].split(b"\0", 2)
        plain = inflated(body, most) if found[:1] == b"\1" else _bounded(body, most)
        return plain.decode("utf-8")
    except DamagedPng:
        raise
    except ValueError:
        raise DamagedPng("is damaged: a text in it is not UTF-8") from None


def _bounded(found: bytes, most: int) -> bytes:
    if len(found) > most:
        raise DamagedPng(f"carries a text of more than {most:,} bytes")
    return found


def inflated(packed: bytes, most: int) -> bytes:
    """zlib's bytes unpacked. Raises DamagedPng where they are damaged, or more than `most`."""
    unpacker = zlib.decompressobj()
    try:
        found = unpacker.decompress(packed, most + 1)
    except zlib.error as error:
        raise DamagedPng(f"is damaged: {error}") from None
    if not unpacker.eof and len(found) <= most:
        raise DamagedPng("is damaged: packed bytes in it are cut short")
    return _bounded(found, most)
