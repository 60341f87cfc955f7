"""Colour profiles made by hand: a space of primaries and a gamma, a grey with a gamma, and four inks. Ref: ICC.1:2001-04."""

import struct
from itertools import product

Points = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]
WIDE: Points = ((0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446))
"""Adobe RGB's primaries, adapted to D50."""
D50 = (0.9642, 1.0, 0.8249)


def _fixed(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def _xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(*values)


def _curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IHxx", 1, round(gamma * 256))


def _profile(space: bytes, connection: bytes, kind: bytes, tags: dict[bytes, bytes]) -> bytes:
    name = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + b"\0" * 79
    tags = {b"desc": name, b"wtpt": _xyz(*D50), b"cprt": b"text\0\0\0\0none\0", **tags}
    offset, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for tag, content in tags.items():
        table += tag + struct.pack(">II", offset + len(body), len(content))
        body += content + b"\0" * (-len(content) % 4)
    head = struct.pack(">I4sI", 0, b"none", 0x02400000) + kind + space + connection + b"\0" * 12
    head += b"acsp" + b"\0" * 28 + _fixed(*D50)
    head = head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body
    return struct.pack(">I", len(head)) + head[4:]


def of_colours(points: Points = WIDE, gamma: float = 2.2) -> bytes:
    """A profile of three primaries, as XYZ under D50, and one gamma."""
    names = (b"rXYZ", b"gXYZ", b"bXYZ")
    tags = {name: _xyz(*point) for name, point in zip(names, points, strict=True)}
    curves = {name: _curve(gamma) for name in (b"rTRC", b"gTRC", b"bTRC")}
    return _profile(b"RGB ", b"XYZ ", b"mntr", tags | curves)


def of_grey(gamma: float) -> bytes:
    """A profile of greys with a gamma."""
    return _profile(b"GRAY", b"XYZ ", b"mntr", {b"kTRC": _curve(gamma)})


def of_inks() -> bytes:
    """A profile of four inks of which black alone counts: L* = 100 · (1 − K), a* = b* = 0, whatever the colours are."""
    identity = _fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    ramp = bytes(range(256))
    table = b"".join(bytes((255 * (1 - k), 128, 128)) for _, _, _, k in product((0, 1), repeat=4))
    lut = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + identity + ramp * 4 + table + ramp * 3
    return _profile(b"CMYK", b"Lab ", b"prtr", {b"A2B0": lut})
