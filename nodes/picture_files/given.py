"""Pictures and masks that Python gives as they are: `PIL.Image` and numpy arrays."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nodes.picture_files.levels import Levels, colours, fractions, greys
from nodes.picture_files.opening import Picture, upright

PICTURE = (
    "a picture is a path, a PIL.Image, an array uint8 [H, W, 3] or [H, W] or of floats in [0, 1], "
    "or a tensor float32 [B, 3, H, W] in [-1, 1]"
)
MASK = (
    "a mask is a path, a PIL.Image, an array [H, W] of uint8, bool or floats in [0, 1], "
    "or a tensor float32 [B, 1, H, W] in [0, 1]; 1 is known"
)


def given_colours(value: Any) -> Levels:
    """What Python gave as a picture, [H, W, 3]. Raises ValueError with the reason where it is none."""
    if isinstance(value, Image.Image):
        return _of_pillow(value, colours)
    found = _array(value, PICTURE)
    if found.ndim == 2:
        found = np.repeat(found[..., None], 3, -1)
    if found.ndim != 3 or found.shape[-1] != 3 or found.dtype == np.bool_:
        raise ValueError(f"{_told(value)} is no picture: {PICTURE}")
    return Levels(_scaled(found, PICTURE))


def given_greys(value: Any) -> Levels:
    """What Python gave as a mask, [H, W]. Raises ValueError with the reason where it is none."""
    if isinstance(value, Image.Image):
        return _of_pillow(value, greys)
    found = _array(value, MASK)
    if found.ndim != 2:
        raise ValueError(f"{_told(value)} is no mask: {MASK}")
    return Levels(_scaled(found.astype(np.float32) if found.dtype == np.bool_ else found, MASK))


def _of_pillow(image: Image.Image, read: Callable[[Picture], Levels]) -> Levels:
    """A picture of Pillow like the file that it came from: upright, in sRGB. It stays the caller's: nothing in it changes."""
    if not image.width * image.height:
        raise ValueError("this PIL.Image has no pixels")
    try:
        image.load()
        return read(upright(image))
    except Exception as error:  # a file that was opened, not decoded, may turn out to be broken
        raise ValueError(f"this PIL.Image cannot be read: {error}") from None


def _array(value: Any, wanted: str) -> NDArray[Any]:
    if not isinstance(value, np.ndarray):
        raise ValueError(f"{_told(value)} cannot be read: {wanted}")
    if not value.size:
        raise ValueError(f"{_told(value)} has no pixels")
    return np.array(value)


def _scaled(values: NDArray[Any], wanted: str) -> NDArray[np.uint8] | NDArray[np.float32]:
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind != "f":
        raise ValueError(f"an array of {values.dtype} does not say what is white: {wanted}")
    return fractions(values)


def _told(value: Any) -> str:
    """What was given, in words."""
    if isinstance(value, np.ndarray):
        return f"an array {value.dtype} {list(value.shape)}"
    return f"a value of type {type(value).__name__}"
