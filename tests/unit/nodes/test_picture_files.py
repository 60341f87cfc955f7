"""Picture files as people have them: every format, orientation, mode, depth and profile; bounds; damage."""

import io
import struct
import tempfile
import zlib
from pathlib import Path

import colour_profiles
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageFile
from PIL.PngImagePlugin import PngInfo

from nodes.picture_files.levels import colours, greys, opacity
from nodes.picture_files.opening import Picture, opened
from nodes.training.folder import folder_pictures

RED, BLUE = (255, 0, 0), (0, 0, 255)
ORIENTATIONS = range(1, 9)


def halves(width: int = 24, height: int = 16) -> Image.Image:
    """Red on the left, blue on the right, green in the upper left corner."""
    picture = Image.new("RGB", (width, height), BLUE)
    picture.paste(RED, (0, 0, width // 2, height))
    picture.paste((0, 255, 0), (0, 0, width // 4, height // 4))
    return picture


def lying(picture: Image.Image, orientation: int) -> Image.Image:
    """The picture as a camera stores it that says so. Ref: TIFF 6.0, tag 274: where row 0 and column 0 are seen."""
    seen = np.asarray(picture)
    if orientation in (3, 4, 7, 8):
        seen = seen[::-1]
    if orientation in (2, 3, 6, 7):
        seen = seen[:, ::-1]
    return Image.fromarray(np.ascontiguousarray(seen.swapaxes(0, 1) if orientation > 4 else seen))


def written(folder: Path, picture: Image.Image, name: str, **options: object) -> Path:
    path = folder / name
    picture.save(path, **options)
    return path


def read(path: Path) -> np.ndarray:
    return colours(opened(path)).values


def chunk(kind: bytes, body: bytes) -> bytes:
    return (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    )


def png(samples: np.ndarray, depth: int, colour: int, extra: bytes = b"") -> bytes:
    """A PNG of samples [H, W, C] that no library rounds on the way."""
    height, width = samples.shape[:2]
    if depth == 16:
        rows = samples.astype(">u2").tobytes()
    elif depth == 8:
        rows = samples.astype("u1").tobytes()
    else:
        shifts = np.arange(8 // depth)[::-1] * depth
        grouped = samples.reshape(height, -1, 8 // depth).astype("u1")
        rows = (grouped << shifts.astype("u1")).sum(-1).astype("u1").tobytes()
    stride = len(rows) // height
    packed = b"".join(b"\0" + rows[i * stride : (i + 1) * stride] for i in range(height))
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = (b"IHDR", head), (b"IDAT", zlib.compress(packed)), (b"IEND", b"")
    first, *rest = (chunk(*part) for part in parts)
    return b"\x89PNG\r\n\x1a\n" + first + extra + b"".join(rest)
