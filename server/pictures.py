"""Looks at uploads before anybody decodes them."""

import io
import warnings

from PIL import Image

from server.problems import Problem


def look_at(content: bytes, megapixels: float) -> None:
    """Refuse a picture of more pixels than a server takes, by its head alone; what is no picture passes. Raises Problem."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content)) as picture:
                width, height = picture.size
    except Image.DecompressionBombError:
        raise _bomb(megapixels) from None
    except (OSError, ValueError, SyntaxError):
        return
    if width * height > megapixels * 1e6:
        raise _bomb(megapixels)


def _bomb(megapixels: float) -> Problem:
    return Problem(413, "too-many-pixels", f"a picture may have {megapixels:g} million pixels here")
