"""The levels of pictures as arrays: colours, greys and opacities, whatever the mode and the bit depth."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nodes.picture_files.opening import Picture
from nodes.picture_files.profiles import to_srgb

DEEP = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
ROUNDING = 1e-6
"""How far a fraction may be beyond [0, 1]: what sums in single precision lose."""
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Shares of red, green and blue in grey, as Pillow has them. Ref: ITU-R BT.601."""
SIXTEEN_BITS = ("PNG", "PPM")
"""The formats whose mode `I` holds levels of 16 bits."""


@dataclass(frozen=True, slots=True)
class Levels:
    """uint8, or float32 in [0, 1]: colours [H, W, 3], greys or opacities [H, W]; and what is to be said of them."""

    values: NDArray[np.uint8] | NDArray[np.float32]
    notes: tuple[str, ...] = ()


def colours(picture: Picture) -> Levels:
    """A picture in sRGB, [H, W, 3], transparency laid on white. Raises ValueError for levels without a known white."""
    if (sixteen := _sixteen(picture)) is not None and not picture.profile:
        return Levels(_on_white(sixteen), picture.notes)
    seen, alpha = _seen(picture)
    notes = picture.notes
    shown = seen
    if picture.profile is not None:
        shown, said = to_srgb(seen, picture.profile)
        notes = (*notes, *said)
    if picture.image.mode in DEEP and shown is seen:
        grey = _deep(picture)
        grey = grey if alpha is None else np.where(np.asarray(alpha) == 0, np.float32(1), grey)
        return Levels(np.repeat(grey[..., None], 3, -1), notes)
    flat = shown.convert("RGB")
    if alpha is not None:
        flat.putalpha(alpha)
        sheet = Image.new("RGBA", flat.size, "white")
        sheet.alpha_composite(flat)
        flat = sheet.convert("RGB")
    return Levels(np.array(flat), notes)


def greys(picture: Picture) -> Levels:
    """The grey levels of a picture as they stand, [H, W]: neither profile nor transparency changes them.

    Raises ValueError for levels without a known white.
    """
    if picture.image.mode in DEEP:
        return Levels(_deep(picture), picture.notes)
    seen, alpha = _seen(picture)
    sixteen = _sixteen(picture)
    notes = picture.notes
    if alpha is not None and alpha.getextrema() != (255, 255):
        notes = (*notes, "its transparency is not read as a mask; mask_from_alpha reads it")
    if sixteen is not None:
        return Levels((sixteen[..., :3] @ LUMA).clip(0, 1), notes)
    return Levels(np.array(seen.convert("L")), notes)


def opacity(picture: Picture) -> Levels:
    """How opaque a picture is, [H, W]. Raises ValueError where it says nothing of it."""
    _, alpha = _seen(picture)
    if alpha is None:
        raise ValueError("it has no transparency, so it says nothing of a mask")
    sixteen = _sixteen(picture)
    if sixteen is not None and sixteen.shape[-1] == 4:
        return Levels(sixteen[..., 3], picture.notes)
    return Levels(np.array(alpha), picture.notes)


def _seen(picture: Picture) -> tuple[Image.Image, Image.Image | None]:
    """The colours of a picture in the space of its profile ("L", "RGB" or "CMYK"), and its opacity if it has one."""
    image = picture.image
    if image.mode in DEEP:
        grey = Image.fromarray(np.rint(_deep(picture) * 255).astype(np.uint8))
        key = image.info.get("transparency")
        opaque = np.where(np.asarray(image) == key, 0, 255).astype(np.uint8)
        return grey, Image.fromarray(opaque) if isinstance(key, int) else None
    if image.mode in ("La", "RGBa"):
        image = image.convert({"La": "LA", "RGBa": "RGBA"}[image.mode])
    alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
    if image.mode in ("1", "L", "LA"):
        return (image.getchannel(0) if image.mode == "LA" else image).convert("L"), alpha
    if image.mode == "CMYK":
        return image, alpha
    return image.convert("RGBA" if alpha is not None else "RGB").convert("RGB"), alpha


def _sixteen(picture: Picture) -> NDArray[np.float32] | None:
    """Colours of 16 bits in [0, 1], [H, W, 3], or 4 with opacity; None where a picture has none, or one colour is clear."""
    if picture.low is None or "transparency" in picture.image.info:
        return None
    high, low = (np.asarray(image, np.float32) for image in (picture.image, picture.low))
    return (high * 256 + low) / np.float32(65535)


def _on_white(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    """Colours [H, W, 3]; those with an opacity, [H, W, 4], laid on white."""
    if colours.shape[-1] == 3:
        return colours
    alpha = colours[..., 3:]
    return colours[..., :3] * alpha + (1 - alpha)


def _deep(picture: Picture) -> NDArray[np.float32]:
    """Grey levels of more than 8 bits, in [0, 1]."""
    mode, values = picture.image.mode, np.asarray(picture.image)
    if mode == "F":
        found = fractions(values)
    elif mode == "I" and picture.format not in SIXTEEN_BITS:
        raise ValueError(
            f"its levels are whole numbers of 32 bits, from {values.min()} to {values.max()}, which "
            "say not what is white; save it with 16 bits"
        )
    else:
        found = (values / np.float32(2**picture.bits - 1)).astype(np.float32).clip(0, 1)
    return 1 - found if picture.inverted else found


def fractions(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """Levels that are fractions already. Raises ValueError where they are not from 0 (black) to 1 (white)."""
    if not np.isfinite(values).all():
        raise ValueError("some of its levels are not numbers (NaN or infinite)")
    if values.min() < -ROUNDING or values.max() > 1 + ROUNDING:
        raise ValueError(
            f"its levels go from {values.min():g} to {values.max():g}, where a picture of fractions "
            "goes from 0 (black) to 1 (white); scale it"
        )
    return values.clip(0, 1).astype(np.float32)
