"""What of a JPEG is looked at beside decoding it: decoders fill up what a file does not hold, and obey any number of scans."""

import re

from PIL import Image

MOST_SCANS = 100
"""Passes over a picture: ten is usual, and each may cost as much as all of a plain one."""
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_SCAN, _END = 0xDA, 0xD9


def scans(content: bytes) -> int:
    """How often a JPEG passes over its picture. Ref: ITU-T T.81, B.1.1."""
    place, count = 2, 0
    while found := _MARKER.search(content, place):
        kind, place = content[found.end() - 1], found.end()
        if kind == _END:
            break
        count += kind == _SCAN
        place += max(2, int.from_bytes(content[place : place + 2], "big"))
    return count


def ends_in_grey(image: Image.Image) -> bool:
    """Whether a corner has the grey that decoders fill with what a file does not hold."""
    right, low = image.width - 1, image.height - 1
    corners = [image.getpixel(place) for place in ((right, low), (0, low), (right, 0), (0, 0))]
    levels = (corner if isinstance(corner, tuple) else (corner,) for corner in corners)
    return any(set(level) <= {127, 128} for level in levels)


def longer(content: bytes) -> bytes:
    """The file with more data at its end: it changes what is filled up, and nothing else."""
    end = content.rfind(b"\xff\xd9")
    return content[:end] + bytes(range(1, 255)) * 8 + content[end:]
