"""Nodes that make masks: 1 = known, 0 = to be made."""

from typing import Annotated

from nodegraph import Doc, Mismatch, Range, node
from nodes.diffusion import masks
from nodes.pictures import Like, MaybeSize, size_of
from nodes.wires.masks import AlphaFile, Mask
from nodes.wires.pictures import Image

Side = Annotated[float, Range(0, 1)]


@node(category="masks", words=("box", "region", "inpainting"))
def mask_rectangle(
    top: Side = 0.25,
    left: Side = 0.25,
    bottom: Side = 0.75,
    right: Side = 0.75,
    size: MaybeSize = None,
    like: Like = None,
) -> Mask:
    """A rectangle to be made, in fractions of the picture; all around is known, [1, 1, H, W]. Cut pixels are soft.

    Raises Mismatch for an empty rectangle, or unless either `size` or `like` is given.
    """
    if top >= bottom or left >= right:
        raise Mismatch(
            f"rows {top} to {bottom} and columns {left} to {right} are no rectangle", port="top"
        )
    return 1 - masks.rectangle(size_of(size, like), top, left, bottom, right)


@node(category="masks", words=("transparency", "RGBA"))
def mask_from_alpha(file: AlphaFile) -> Mask:
    """What is opaque in a picture file is known, what is transparent is to be made, [1, 1, H, W]."""
    return file


@node(category="masks", words=("brightness", "threshold", "painted"))
def mask_from_image(
    image: Image,
    threshold: Annotated[
        float | None,
        Range(0, 1),
        Doc("Brightness from which on a pixel is known; none: in proportion."),
    ] = None,
) -> Mask:
    """What is white is known, what is black is to be made, [B, 1, H, W]; grey is soft, unless there is a threshold."""
    brightness = masks.luminance(image)
    return brightness if threshold is None else (brightness >= threshold).to(brightness.dtype)


@node(category="masks", words=("swap", "complement"))
def invert_mask(mask: Mask) -> Mask:
    """What was known is to be made, and the other way round."""
    return 1 - mask
