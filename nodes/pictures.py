"""Nodes between pictures."""

from typing import Annotated

import torch
import torch.nn.functional as F

from nodegraph import Doc, Range, node
from nodes.types import PORT_TYPES as PORT_TYPES
from nodes.types import Image


@node(category="pictures", words=("open", "file"))
def load_image(file: Image) -> Image:
    """A picture from a file, [1, 3, H, W] in [−1, 1]; transparency is laid on white."""
    return file


@node(category="pictures", words=("scale", "size"))
def resize(
    image: Image, size: Annotated[int, Range(1, 8192), Doc("Height and width in pixels.")]
) -> Image:
    """Pictures at another size, bilinear with antialiasing, [B, 3, size, size]."""
    return F.interpolate(image, (size, size), mode="bilinear", antialias=True, align_corners=False)


@node(category="pictures", words=("contact sheet", "mosaic"))
def grid(
    images: list[Image],
    columns: Annotated[int, Range(0, 64), Doc("0 = as many as make it square.")] = 0,
    gap: Annotated[int, Range(0, 64), Doc("Pixels between pictures.")] = 2,
) -> Image:
    """Pictures of one size beside each other in one picture, row by row, [1, 3, H, W]. Raises ValueError when there is none."""
    if not images:
        raise ValueError("a grid needs at least one picture")
    rows = torch.cat(images)
    count, channels, height, width = rows.shape
    across = columns or int(count**0.5 + 0.999)
    down = -(-count // across)
    sheet = rows.new_ones(channels, down * (height + gap) - gap, across * (width + gap) - gap)
    for number, picture in enumerate(rows):
        top, left = number // across * (height + gap), number % across * (width + gap)
        sheet[:, top : top + height, left : left + width] = picture
    return sheet[None]
