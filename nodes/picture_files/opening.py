"""Picture files opened: known formats only, bounded before anything is decoded, decoded whole, the first picture, upright."""

import io
import math
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image, ImageFile

from nodegraph.runtime.context import MAX_MEGAPIXELS
from nodegraph.runtime.png import DamagedPng
from nodes.picture_files.jpeg import MOST_SCANS, ends_in_grey, longer, scans
from nodes.picture_files.png import plain_png

FORMATS = (
    "PNG", "JPEG", "WEBP", "AVIF", "GIF", "TIFF", "BMP", "DIB", "JPEG2000", "PPM", "QOI", "TGA", "ICO", "PCX", "SGI",
)  # fmt: skip
"""What is read. Formats that draw (EPS, WMF) are not, whose readers run programs, nor those that hardly anybody uses."""
MEGAPIXEL = 1_000_000
ORIENTATION, SAMPLE_FORMAT, BITS, WHITE_IS_ZERO, INTEROPERABILITY = 274, 339, 258, 262, 0xA005
TURNS = dict(
    zip(
        range(2, 9),
        (
            Image.Transpose.FLIP_LEFT_RIGHT,
            Image.Transpose.ROTATE_180,
            Image.Transpose.FLIP_TOP_BOTTOM,
            Image.Transpose.TRANSPOSE,
            Image.Transpose.ROTATE_270,
            Image.Transpose.TRANSVERSE,
            Image.Transpose.ROTATE_90,
        ),
        strict=True,
    )
)
"""What brings a picture upright, by the number of its orientation. Ref: TIFF 6.0, tag 274."""
BYTES_PER_PIXEL, BYTES_BESIDE = 16, 1 << 26
_bounds = threading.Lock()


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture, decoded and upright, in the mode of its file; its colour profile, and what is to be said of it.

    `bits`: of a level, where the mode has room for more. `inverted`: 0 is white, though its mode has 0 for black.
    `low`: the low bytes of colours of 16 bits, of which `image` holds the high ones: Pillow has no mode for them.
    """

    image: Image.Image
    format: str | None = None
    profile: bytes | None = None
    notes: tuple[str, ...] = ()
    bits: int = 16
    inverted: bool = False
    low: Image.Image | None = None


def opened(path: Path, megapixels: float = MAX_MEGAPIXELS) -> Picture:
    """The picture in a file. Raises ValueError naming what is wrong with it, OSError where it cannot be opened."""
    if not path.is_file():
        raise ValueError(f"'{path.name}' cannot be read as a picture: it is no file")
    with path.open("rb") as file:
        if path.stat().st_size > BYTES_BESIDE + BYTES_PER_PIXEL * megapixels * MEGAPIXEL:
            raise ValueError(
                f"'{path.name}' is a file of {path.stat().st_size / 1e6:,.0f} MB, more than a picture of {megapixels:g} "
                "megapixels needs; max_megapixels (--max-megapixels) allows more"
            )
        try:
            return _decoded(file, megapixels)
        except DamagedPng as error:
            raise ValueError(f"'{path.name}' cannot be read as a picture: it {error}") from None
        except TooLarge as error:
            raise ValueError(f"'{path.name}' has {error}") from None
        except Exception as error:  # decoders of foreign bytes raise whatever they stumble over
            reason = str(error) or type(error).__name__
            raise ValueError(f"'{path.name}' cannot be read as a picture: {reason}") from None


class TooLarge(ValueError):
    """A picture of more pixels than are allowed; the message goes on from "the file has …"."""


def _decoded(file: BinaryIO, megapixels: float) -> Picture:
    head = file.read(32)
    file.seek(0)
    if not head.startswith(b"\x89PNG"):
        if head.startswith(b"\xff\xd8"):
            return _of_jpeg(file.read(), megapixels)
        return _read(file, megapixels)
    if head[12:16] == b"IHDR":
        _bounded(int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big"), megapixels)
    plain = plain_png(file)
    found = _read(io.BytesIO(plain.content), megapixels, plain.frames)
    low = None
    if plain.deep:
        low = _shipped(lambda: _first(_low(io.BytesIO(plain.content)), megapixels)).image
    return replace(found, profile=plain.profile, notes=(*plain.notes, *found.notes), low=low)


def _low(file: BinaryIO) -> ImageFile.ImageFile:
    """A PNG of 16 bits whose low bytes will be decoded: those that are the high ones where the other end comes first."""
    image = _identified(file)
    image.tile = [
        tile._replace(args=tile.args.replace(";16B", ";16L"))
        for tile in image.tile
        if isinstance(tile.args, str)
    ]
    return image


def _of_jpeg(content: bytes, megapixels: float) -> Picture:
    if scans(content) > MOST_SCANS:
        raise ValueError(f"it has more than {MOST_SCANS} scans, which nobody's camera makes")
    found = _read(io.BytesIO(content), megapixels)
    if found.format == "JPEG" and ends_in_grey(found.image):
        try:
            again = _read(io.BytesIO(longer(content)), megapixels)
        except Exception:  # foreign bytes
            return found
        if again.image.tobytes() != found.image.tobytes():
            raise ValueError("it is cut short: it announces more rows than it holds")
    return found


def _read(file: BinaryIO, megapixels: float, frames: int = 1) -> Picture:
    return _shipped(lambda: _first(_identified(file), megapixels, frames))


def _identified(file: BinaryIO) -> ImageFile.ImageFile:
    """The picture, its header read. Asks the readers themselves: `Image.open` would hold it to bounds of the process."""
    Image.init()
    file.seek(0)
    head, reasons = file.read(16), list[str]()
    for name in FORMATS:
        reader, accepts = Image.OPEN.get(name, (None, None))
        if reader is None or (accepts is not None and accepts(head) is not True):
            continue
        file.seek(0)
        try:
            return reader(file, "")
        except (SyntaxError, IndexError, TypeError, KeyError) as error:
            if accepts is not None:
                reasons.append(f"{name}: {error}")
    known = f"it is none of {', '.join(FORMATS)}"
    raise ValueError("; ".join(reasons) or known)


def _bounded(width: int, height: int, megapixels: float) -> None:
    if width * height > megapixels * MEGAPIXEL:
        raise TooLarge(
            f"{width} × {height} pixels, {width * height / MEGAPIXEL:,.1f} megapixels, where at most {megapixels:g} "
            "are read; max_megapixels (--max-megapixels) allows more"
        )
    if not width * height:
        raise ValueError("it has no pixels")


def _first(image: ImageFile.ImageFile, megapixels: float, frames: int = 1) -> Picture:
    """The first picture of a file, decoded to its end, upright."""
    _bounded(*image.size, megapixels)
    several = frames > 1 or (image.format != "MPO" and getattr(image, "is_animated", False))
    notes = ("it holds several pictures; the first is taken",) if several else ()
    tiles = image.tile if image.format == "TIFF" else []
    boxes = {box for tile in tiles if (box := tile[1]) is not None}
    if boxes and sum((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in boxes) < math.prod(image.size):
        raise ValueError("it announces more rows than it holds")
    image.load()
    _bounded(*image.size, megapixels)
    return upright(image, notes)


def _interoperability(exif: Image.Exif) -> Mapping[int, Any]:
    """What a picture's EXIF says of other programs; Pillow before 11.1 raises where it says nothing."""
    try:
        return exif.get_ifd(INTEROPERABILITY)
    except KeyError:
        return {}


def upright(image: Image.Image, notes: tuple[str, ...] = ()) -> Picture:
    """A decoded picture, turned as it says that it is to be seen. Raises ValueError for levels that may be negative."""
    tag = getattr(image, "tag_v2", {}).get
    if 2 in _several(tag(SAMPLE_FORMAT)):
        raise ValueError(
            "its levels are numbers with a sign, so that black and white are not known"
        )
    if image.mode in ("P", "PA") and image.palette is None:
        raise ValueError("its colours are those of a palette, which it lacks")
    bits = (*_several(tag(BITS)), 16)[0]
    inverted = tag(WHITE_IS_ZERO) == 0 and image.mode in ("I;16", "F")
    profile = image.info.get("icc_profile")
    turn = None
    try:
        exif = image.getexif()
        turn = TURNS.get(exif.get(ORIENTATION, 1))
        if profile is None and _interoperability(exif).get(1) == "R03":
            notes = (*notes, "it is in Adobe RGB, says its EXIF, and was taken for sRGB")
    except Exception:  # foreign bytes again
        notes = (*notes, "its EXIF is damaged: it may lie on its side")
    turned = image if turn is None else image.transpose(turn)
    deep = bits if isinstance(bits, int) and 8 < bits < 16 else 16
    return Picture(turned, image.format, profile, notes, deep, inverted)


def _several(value: object) -> tuple[Any, ...]:
    """The numbers of a TIFF tag."""
    return value if isinstance(value, tuple) else () if value is None else (value,)


def _shipped(read: Callable[[], Picture]) -> Picture:
    """Read with Pillow's bounds as this program means them, whatever others set in this process."""
    if not ImageFile.LOAD_TRUNCATED_IMAGES:
        try:
            return read()
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            pass
    with _bounds, _without_bounds():
        return read()


@contextmanager
def _without_bounds() -> Generator[None]:
    """Without Pillow's own bound on pixels (ours stands), and without its leniency towards cut files; both come back."""
    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = None, False
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = before
