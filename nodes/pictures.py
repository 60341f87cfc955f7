"""Nodes between pictures."""

import math
from typing import Annotated, Any, NamedTuple

import torch
from torch import Tensor

from nodegraph import Doc, Mismatch, Range, node
from nodegraph.base.partial import scratch, sweep
from nodes.diffusion import masks
from nodes.models.classifier import Classifier
from nodes.models.clip import Clip
from nodes.models.unet import UNet
from nodes.wires.generic import X
from nodes.wires.masks import Mask
from nodes.wires.pictures import Image, PictureFile, write_images
from nodes.wires.scalars import Size
from nodes.wires.tables import Table

Pixels = Annotated[int, Range(1, 8192)]
MaybeSize = Annotated[Size | None, Range(1, 8192), Doc("Pixels of a side, or [height, width].")]
Like = Annotated[
    UNet | Classifier | Clip | Image | Mask | None,
    Doc("A model or a picture whose size is taken."),
]


@node(category="pictures", words=("open", "file"))
def load_image(file: Image) -> Image:
    """A picture from a file, upright and in sRGB, [1, 3, H, W] in [−1, 1]; transparency is laid on white."""
    return file


def _nothing() -> None:
    return None


@node(category="pictures", words=("write", "export", "PNG"), pure=False, abstract=_nothing)
def save_image(image: Image, file: PictureFile) -> None:
    """Pictures as `file.png`, or `file-0.png`, `file-1.png`, … where there are several; what is there is replaced.

    Each carries the graph that made it.
    """
    folder = file.path.parent
    sweep(folder)
    with scratch(folder) as beside:
        for made in write_images(image, beside, file.path.stem, file.provenance):
            made.replace(folder / made.name)


@node(category="pictures", words=("scale", "size", "upscale"))
def resize(
    image: X,
    size: MaybeSize = None,
    like: Like = None,
) -> X:
    """Pictures or masks at another size, bilinear with antialiasing, [B, C, height, width].

    Raises Mismatch unless either `size` or `like` is given.
    """
    return masks.resampled(_picture(image, "image"), size_of(size, like))  # type: ignore[return-value]


def size_of(size: int | list[int] | None, like: Any) -> tuple[int, int]:
    """The size that is meant. Raises Mismatch."""
    if (size is None) == (like is None):
        raise Mismatch("either a size or something like it is needed", hint="give size or like")
    if isinstance(like, Tensor):
        return like.shape[-2], like.shape[-1]
    found = like.image_size if size is None else size
    both = [found, found] if isinstance(found, int) else list(found)
    if len(both) != 2:
        raise Mismatch(f"{both} is no size", port="size", hint="a number, or [height, width]")
    return both[0], both[1]


def _picture(value: Any, port: str) -> Tensor:
    if not isinstance(value, Tensor) or value.ndim != 4:
        raise Mismatch("these are neither pictures nor masks", port=port)
    return value


@node(category="pictures", words=("cut", "window"))
def crop(
    image: X,
    top: Annotated[int, Range(0)],
    left: Annotated[int, Range(0)],
    height: Pixels,
    width: Pixels,
) -> X:
    """A window of pictures or masks, in pixels, [B, C, height, width]. Raises Mismatch where it leaves the picture."""
    whole = _picture(image, "image")
    _inside(whole, (height, width), top, left)
    return whole[:, :, top : top + height, left : left + width]  # type: ignore[return-value]


def _inside(whole: Tensor, size: tuple[int, int], top: int, left: int) -> None:
    if top + size[0] > whole.shape[-2] or left + size[1] > whole.shape[-1]:
        raise Mismatch(
            f"{size[0]} × {size[1]} pixels from row {top} and column {left} on leave a picture of "
            f"{whole.shape[-2]} × {whole.shape[-1]}"
        )


@node(category="pictures", words=("composite", "blend", "inpainting", "put back"))
def paste(
    image: Image,
    onto: Image,
    mask: Annotated[Mask | None, Doc("1 = `onto` is kept; it covers `image`, at any size.")] = None,
    top: Annotated[int | None, Range(0), Doc("Row of `onto` where `image` begins.")] = None,
    left: Annotated[int | None, Range(0), Doc("Column of `onto` where `image` begins.")] = None,
) -> Image:
    """Pictures laid onto others, [B, 3, H, W] as `onto`; pixels that the mask knows come out exactly as they were.

    Raises Mismatch where they do not fit: without `top` and `left`, both have one size.
    """
    if top is None and left is None and image.shape[-2:] != onto.shape[-2:]:
        raise Mismatch(
            f"a picture of {_shown(image)} is no lid for one of {_shown(onto)}",
            port="image",
            hint="resize it with like, or say top and left",
        )
    size, row, column = (image.shape[-2], image.shape[-1]), top or 0, left or 0
    _inside(onto, size, row, column)
    image, onto, *given = rows_of(image, onto, *([] if mask is None else [mask]))
    window = onto[:, :, row : row + size[0], column : column + size[1]]
    result = onto.clone()
    result[:, :, row : row + size[0], column : column + size[1]] = (
        masks.blended(image, window, masks.mask_at(given[0], size)) if given else image
    )
    return result


def _shown(image: Tensor) -> str:
    return f"{image.shape[-2]} × {image.shape[-1]} pixels"


def rows_of(*tensors: Tensor) -> list[Tensor]:
    """Tensors with the rows of the longest, the others' rows repeated one after the other. Raises Mismatch."""
    rows = max(len(tensor) for tensor in tensors)
    if any(rows % len(tensor) for tensor in tensors):
        counts = ", ".join(str(len(tensor)) for tensor in tensors)
        raise Mismatch(f"batches of {counts} pictures cannot be laid beside each other")
    return [tensor.repeat_interleave(rows // len(tensor), 0) for tensor in tensors]


@node(category="pictures", words=("contact sheet", "mosaic"))
def grid(
    images: list[Image],
    columns: Annotated[int, Range(0, 4096), Doc("At most; 0 = as many as make it square.")] = 0,
    gap: Annotated[int, Range(0, 64), Doc("Pixels between pictures.")] = 2,
) -> Image:
    """Pictures of one size beside each other in one picture, row by row, [1, 3, H, W].

    Raises ValueError when there is none, Mismatch when their sizes differ.
    """
    if not images:
        raise ValueError("a grid needs at least one picture")
    sizes = sorted({_shown(image) for image in images})
    if len(sizes) > 1:
        raise Mismatch(f"pictures of {' and '.join(sizes)}", port="images", hint="resize them")
    rows = torch.cat(images)
    count, channels, height, width = rows.shape
    across = min(count, columns or math.ceil(math.sqrt(count)))
    down = -(-count // across)
    sheet = rows.new_ones(channels, down * (height + gap) - gap, across * (width + gap) - gap)
    for number, picture in enumerate(rows):
        top, left = number // across * (height + gap), number % across * (width + gap)
        sheet[:, top : top + height, left : left + width] = picture
    return sheet[None]


class Comparison(NamedTuple):
    """`image`: both pictures and their difference beside each other; `table`: a row of figures for each pair."""

    image: Image
    table: Table


FIGURES = ("row", "max_difference", "mean_difference", "psnr")


def _abstract_comparison(
    first: Tensor, second: Tensor, mask: Tensor | None, gain: float
) -> Comparison:
    a, b, known = _pairs(first, second, mask)
    return Comparison(_beside(a, b, known, gain), Table(FIGURES, ()))


@node(
    category="pictures", words=("difference", "PSNR", "before after"), abstract=_abstract_comparison
)
def compare(
    first: Image,
    second: Image,
    mask: Annotated[Mask | None, Doc("Only known pixels (1) are compared.")] = None,
    gain: Annotated[float, Range(0, 255), Doc("Brightness of the difference that is shown.")] = 1.0,
) -> Comparison:
    """Two pictures and |first − second| beside each other, [B, 3, H, 3W], and their largest and mean difference in [0, 2].

    `psnr` in decibels, infinite for equal pictures. Raises Mismatch when their sizes differ.
    """
    a, b, known = _pairs(first, second, mask)
    rows = [_figures(a[i], b[i], known[i]) for i in range(len(a))]
    table = Table(FIGURES, tuple((number, *row) for number, row in enumerate(rows)))
    return Comparison(_beside(a, b, known, gain), table)


def _pairs(first: Tensor, second: Tensor, mask: Tensor | None) -> list[Tensor]:
    if first.shape[1:] != second.shape[1:]:
        raise Mismatch(
            f"{_shown(first)} and {_shown(second)}",
            port="second",
            hint="resize it with like: first",
        )
    known = first.new_ones(1, 1, *first.shape[-2:]) if mask is None else mask
    return rows_of(first, second, masks.mask_at(known, (first.shape[-2], first.shape[-1])))


def _beside(a: Tensor, b: Tensor, known: Tensor, gain: float) -> Tensor:
    difference = ((a - b).abs() * known * gain).clamp(max=2) - 1
    return torch.cat([a, b, difference], -1)


def _figures(a: Tensor, b: Tensor, known: Tensor) -> tuple[float, float, float]:
    """Largest and mean difference, and peak signal-to-noise ratio, where pixels are known, 0, 0 and ∞ where none is."""
    difference = (a - b).abs().double() * known
    weight = max(float(known.sum()) * len(a), 1e-12)
    square = float((difference**2).sum()) / weight
    ratio = math.inf if not square else 10 * math.log10(4 / square)
    return float(difference.max()), float(difference.sum()) / weight, ratio
