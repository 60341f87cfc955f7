"""Colour profiles: what is not in sRGB is turned to it."""

import io
from functools import cache

from PIL import Image, ImageCms

BROKEN = "its colour profile is broken and was ignored"
OTHER = "its colour profile is for pictures of another kind and was ignored"


def to_srgb(image: Image.Image, profile: bytes) -> tuple[Image.Image, tuple[str, ...]]:
    """A picture in the space of its profile ("L", "RGB" or "CMYK") as RGB in sRGB, with what is to be said.

    A profile that moves no colour by more than one level of 8 bits is sRGB: the picture stays as it is.
    """
    try:
        given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = ImageCms.core.profile_frombytes(profile).xcolor_space.strip()
    except Exception:  # foreign bytes
        return image, (BROKEN,)
    wanted = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK"}.get(space)
    shown = image.convert("RGB") if (image.mode, wanted) == ("L", "RGB") else image
    if wanted != shown.mode:
        return image, (OTHER,)
    try:
        transform = ImageCms.buildTransform(given, _srgb(), shown.mode, "RGB")
        if shown.mode != "CMYK" and _moves_nothing(transform, shown.mode):
            return image, ()
        return ImageCms.applyTransform(shown, transform) or image, ()
    except ImageCms.PyCMSError:
        return image, (BROKEN,)


@cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


@cache
def _probe(mode: str) -> Image.Image:
    """Every grey, and for colours every mixture of nine levels."""
    greys = bytes(range(256))
    if mode == "L":
        return Image.frombytes("L", (256, 1), greys)
    steps = [min(255, 32 * step) for step in range(9)]
    mixed = [(r, g, b) for r in steps for g in steps for b in steps] + [(g, g, g) for g in greys]
    return Image.frombytes("RGB", (len(mixed), 1), bytes(level for rgb in mixed for level in rgb))


def _moves_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    before = _probe(mode)
    after = ImageCms.applyTransform(before, transform)
    assert after is not None
    pairs = zip(before.convert("RGB").tobytes(), after.tobytes(), strict=True)
    return all(abs(a - b) <= 1 for a, b in pairs)
