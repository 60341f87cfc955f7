"""Two pictures beside each other, with what is different in them; in 8 bits of sRGB. Imports no torch."""

import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from nodegraph.runtime.sheet import Labels, sheet


@dataclass(frozen=True, slots=True)
class Pixels:
    """How far two pictures of one size are apart. Shares of pixels, of which all channels count; levels of 255; `psnr`: peak
    signal to noise ratio in dB, None where they are equal."""

    equal: float
    within_a_level: float
    mean: float
    largest: int
    psnr: float | None


def opened(path: Path) -> Image.Image:
    """A picture in 8 bits of RGB. Raises ValueError for a file that is none."""
    try:
        with Image.open(path) as found:
            return found.convert("RGB")
    except UnidentifiedImageError:
        raise ValueError(f"{path} is no picture") from None
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"{path} cannot be read: {reason}") from None


def apart(first: Image.Image, second: Image.Image) -> Pixels:
    """How far two pictures of one size are apart."""
    off = _off(first, second)
    worst = off.max(2)
    square = float((off.astype(np.float64) ** 2).mean())
    psnr = 10 * math.log10(255**2 / square) if square else None
    shares = float((worst == 0).mean()), float((worst <= 1).mean())
    return Pixels(*shares, float(off.mean()), int(worst.max()), psnr)


def _off(first: Image.Image, second: Image.Image) -> np.ndarray:
    """Differences in levels, [H, W, 3]."""
    return np.abs(np.asarray(first, np.int16) - np.asarray(second, np.int16))


def side_by_side(first: Image.Image, second: Image.Image, names: tuple[str, str]) -> Image.Image:
    """Both pictures, and beside them, where they are of one size, their difference: so many times that its largest is white."""
    pictures, room = [first, second], max(first.width, second.width) // 6
    labels = [name if len(name) <= room else f"…{name[1 - room :]}" for name in names]
    if first.size == second.size:
        off = _off(first, second)
        gain = 255 // max(1, int(off.max()))
        pictures.append(Image.fromarray((off * gain).astype(np.uint8)))
        labels.append(f"{gain} times off" if gain > 1 else "difference")
    axes = [Labels("", ("",)), Labels("compared", tuple(labels))]
    (page,) = sheet([_encoded(picture) for picture in pictures], axes)
    return page


def _encoded(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
