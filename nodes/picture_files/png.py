"""A PNG without what stands beside its first picture: no text, animation or bomb in it keeps the pixels from being read."""

import struct
import zlib
from dataclasses import dataclass
from typing import BinaryIO

from nodegraph.runtime.png import SIGNATURE, DamagedPng, chunks, inflated

ORIENTATION = (b"XML:com.adobe.xmp", b"Raw profile type exif", b"Raw profile type APP1")
"""The texts that Pillow reads to see which side is up."""
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Samples of a pixel by the number of its kind of colour. Ref: PNG, third edition, table 8."""
ADAM7 = (
    (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2),
)  # fmt: skip
"""First column and row of the seven passes, and their strides. Ref: PNG, third edition, §8.2."""
PIECE = 1 << 20
MOST_TEXT, MOST_PROFILE = 1 << 20, 1 << 24
SRGB_GAMMA = (44_000, 47_000)
SRGB_POINTS = (31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000)
"""White point and primaries in units of 0.00001, as the chunk cHRM gives them."""


@dataclass(frozen=True, slots=True)
class PlainPng:
    """A PNG of one picture without texts; its colour profile; how many pictures the file holds; what is to be said of it.

    `deep`: its colours have 16 bits.
    """

    content: bytes
    profile: bytes | None
    frames: int
    notes: tuple[str, ...]
    deep: bool


def plain_png(file: BinaryIO) -> PlainPng:
    """A PNG without what Pillow might stumble over. Raises DamagedPng where a chunk is damaged or missing."""
    kept, found, packed = [SIGNATURE], dict[bytes, bytes](), list[bytes]()
    for kind, body in chunks(file):
        found.setdefault(kind, body)
        if kind == b"IDAT":
            packed.append(body)
        if kind == b"tRNS" and b"IHDR" in found:
            body = _key_colour(body, *found[b"IHDR"][8:10])
        if _wanted(kind, body):
            kept.append(_chunk(kind, body))
    if b"IHDR" not in found or b"IDAT" not in found:
        raise DamagedPng("is a PNG without a picture")
    _hold_every_row(packed, _bytes_of_rows(found[b"IHDR"]))
    profile = _profile(found[b"iCCP"]) if b"iCCP" in found else None
    notes = () if profile else _notes(found)
    frames = int.from_bytes(found[b"acTL"][:4], "big") if b"acTL" in found else 1
    depth, colour = found[b"IHDR"][8:10]
    return PlainPng(b"".join(kept), profile, frames, notes, depth == 16 and colour in (2, 6))


def _bytes_of_rows(head: bytes) -> int:
    """How many bytes the rows of a picture take, unpacked. Raises DamagedPng for a head that is none."""
    if len(head) < 13:
        raise DamagedPng("is damaged: its chunk IHDR is too short")
    width, height, depth, colour, *_, interlaced = struct.unpack(">IIBBBBB", head[:13])
    bits = depth * SAMPLES.get(colour, 0)
    passes = ADAM7 if interlaced else ((0, 0, 1, 1),)
    total = 0
    for left, top, across, down in passes:
        columns, rows = -((left - width) // across), -((top - height) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + -(-columns * bits // 8))
    return total


def _hold_every_row(packed: list[bytes], wanted: int) -> None:
    """Refuse pictures whose packed bytes end before their last row: Pillow would make up the rest."""
    unpacker, found = zlib.decompressobj(), 0
    for body in packed:
        while body and found < wanted and not unpacker.eof:
            try:
                found += len(unpacker.decompress(body, PIECE))
            except zlib.error as error:
                raise DamagedPng(f"is damaged: {error}") from None
            body = unpacker.unconsumed_tail
    if found + len(unpacker.flush() if found < wanted else b"") < wanted:
        raise DamagedPng("is cut short: it announces more rows than it holds")


def _wanted(kind: bytes, body: bytes) -> bool:
    if kind in (b"tEXt", b"zTXt", b"iTXt"):
        return body.startswith(ORIENTATION) and len(body) < MOST_TEXT and _unpacks(kind, body)
    return kind not in (b"acTL", b"fcTL", b"fdAT", b"iCCP")


def _unpacks(kind: bytes, body: bytes) -> bool:
    """Whether a packed text is a short one."""
    start = body.find(b"\0") + 1
    packed = kind == b"zTXt" or (kind == b"iTXt" and body[start : start + 1] == b"\1")
    if not packed:
        return True
    parts = body[start + 2 :].split(b"\0", 2) if kind == b"iTXt" else [body[start + 1 :]]
    try:
        return bool(inflated(parts[-1], MOST_TEXT))
    except DamagedPng:
        return False


def _chunk(kind: bytes, body: bytes) -> bytes:
    check = zlib.crc32(body, zlib.crc32(kind))
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)


def _key_colour(body: bytes, depth: int, colour: int) -> bytes:
    """The colour that is transparent, as Pillow's 8 bits compare it; a grey of 1 or 16 bits stays as it is."""
    if colour == 0 and depth in (2, 4) and len(body) >= 2:
        (level,) = struct.unpack(">H", body[:2])
        return struct.pack(">H", level * 255 // (2**depth - 1))
    if colour == 2 and depth == 16 and len(body) >= 6:
        return struct.pack(">3H", *(level >> 8 for level in struct.unpack(">3H", body[:6])))
    return body


def _profile(body: bytes) -> bytes:
    """The colour profile; one that cannot be unpacked is empty, and so a broken one."""
    try:
        return inflated(body.partition(b"\0")[2][1:], MOST_PROFILE)
    except DamagedPng:
        return b""


def _notes(found: dict[bytes, bytes]) -> tuple[str, ...]:
    """Colour spaces that are told by numbers instead of a profile, and are not sRGB. Ref: PNG, third edition, §11.3.2."""
    if b"cICP" in found:
        return () if found[b"cICP"][:2] == b"\1\x0d" else ("it is not in sRGB (cICP)",)
    if b"sRGB" in found:
        return ()
    gamma = int.from_bytes(found.get(b"gAMA", b"\0\0\xb1\x8f")[:4], "big")
    points = found.get(b"cHRM", b"")
    odd = []
    if not SRGB_GAMMA[0] <= gamma <= SRGB_GAMMA[1]:
        odd.append(f"its gamma is {gamma / 100_000:g} (gAMA)")
    if len(points) == 32:
        told = struct.unpack(">8I", points)
        if any(abs(a - b) > 500 for a, b in zip(told, SRGB_POINTS, strict=True)):
            odd.append("its primaries are not those of sRGB (cHRM)")
    return tuple(odd)
