"""Nodes that make masks (1 = known, 0 = to be made), and the one that imposes what is known."""

from typing import Annotated

from nodegraph import Doc, Mismatch, Range, node
from nodes.diffusion import masks, techniques
from nodes.diffusion.denoisers import Denoiser
from nodes.diffusion.masks import fitted
from nodes.library.pictures import Like, MaybeSize, size_of
from nodes.wires.masks import AlphaFile, Mask
from nodes.wires.pictures import Image

Side = Annotated[float, Range(0, 1)]


@node(words=("box", "region", "inpainting"))
def mask_rectangle(
    top: Side = 0.25,
    left: Side = 0.25,
    bottom: Side = 0.75,
    right: Side = 0.75,
    size: MaybeSize = None,
    like: Like = None,
) -> Mask:
    """A mask [1, 1, H, W] with an unknown rectangle, in fractions of the picture. Pixels on its edge are soft.

    Raises Mismatch for an empty rectangle, or unless either `size` or `like` is given.
    """
    if top >= bottom or left >= right:
        raise Mismatch(
            f"rows {top} to {bottom} and columns {left} to {right} are no rectangle", port="top"
        )
    return 1 - masks.rectangle(size_of(size, like), top, left, bottom, right)


@node(words=("transparency", "RGBA"))
def mask_from_alpha(file: AlphaFile) -> Mask:
    """A mask [1, 1, H, W] from a file's alpha channel: opaque pixels are known, transparent ones unknown."""
    return file


@node(words=("brightness", "threshold", "painted"))
def mask_from_image(
    image: Image,
    threshold: Annotated[
        float | None,
        Range(0, 1),
        Doc("Brightness from which a pixel is known; none: the mask is the brightness."),
    ] = None,
) -> Mask:
    """A mask [B, 1, H, W] from brightness: white is known, black unknown; grey is soft, unless there is a threshold."""
    brightness = masks.luminance(image)
    return brightness if threshold is None else (brightness >= threshold).to(brightness.dtype)


@node(words=("swap", "complement"))
def invert_mask(mask: Mask) -> Mask:
    """1 − mask: known pixels become unknown, unknown ones known."""
    return 1 - mask


@node(words=("mask inpainter", "inpainting", "edit", "blended"), rows=("denoiser", "image", "mask"))
def mask_inpainter(
    denoiser: Denoiser[Image],
    image: Annotated[Image | None, Doc("The picture to complete; none: nothing is known.")] = None,
    mask: Annotated[Mask | None, Doc("1 = known; soft edges are mixed.")] = None,
) -> Denoiser[Image]:
    """The known pixels (mask 1) of a picture re-imposed on x_0 at each step; both may have any resolution.

    Needs no network fine-tuned for inpainting, and works around one too. Without a picture the denoiser
    is passed on. Raises Mismatch for a picture without a mask, or a mask alone. Ref: Nichol et al. 2022 (GLIDE), §2.5.
    """
    if image is None and mask is None:
        return denoiser
    if image is None or mask is None:
        missing = "image" if image is None else "mask"
        raise Mismatch(
            "a picture and its mask belong together", port=missing, hint=f"wire the {missing}"
        )
    height, width = denoiser.sample_shape[-2:]
    return techniques.MaskInpainter(denoiser, *fitted(image, mask, (height, width)))
