"""Nodes between pictures."""

import math
from typing import Annotated, Any, Literal

import numpy as np
import torch
from torch import Tensor

from nodegraph import Doc, Mismatch, Range, node
from nodegraph.base.partial import scratch, sweep
from nodes.diffusion import masks
from nodes.library.rows import at_port
from nodes.models.classifier import Classifier
from nodes.models.noised_clip import NoisedClip
from nodes.models.unet import UNet
from nodes.picture_files.films import MEND, MISSING, has_encoder
from nodes.rows import level
from nodes.shapes.captions import NotACaption, parse_caption
from nodes.shapes.described import described
from nodes.shapes.render import render
from nodes.training.dataset import pictures_to_signal
from nodes.wires.arrays import to_bytes
from nodes.wires.films import Film
from nodes.wires.generic import X
from nodes.wires.masks import Mask
from nodes.wires.pictures import Image, PictureFile, write_images
from nodes.wires.scalars import Seed, Size, Text

Pixels = Annotated[int, Range(1, 8192)]
MaybeSize = Annotated[Size | None, Range(1, 8192), Doc("Pixels of a side, or [height, width].")]
Like = Annotated[
    UNet | Classifier | NoisedClip | Image | Mask | None,
    Doc("A model or a picture whose size is taken."),
]


@node(words=("open", "file"))
def load_image(file: Image) -> Image:
    """A picture from a file, upright and in sRGB, [1, 3, H, W] in [−1, 1]; transparency is laid on white."""
    return file


def _nothing() -> None:
    return None


@node(words=("write", "export", "PNG"), pure=False, abstract=_nothing)
def save_image(image: Image, file: PictureFile) -> None:
    """Pictures as `file.png`, or `file-0.png`, `file-1.png`, … where there are several; what is there is replaced.

    Each carries the graph that made it.
    """
    folder = file.path.parent
    sweep(folder)
    with scratch(folder) as beside:
        for made in write_images(image, beside, file.path.stem, file.provenance):
            made.replace(folder / made.name)


@node(words=("scale", "size", "upscale"))
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


@node(words=("cut", "window"))
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


@node(words=("composite", "blend", "inpainting", "put back"))
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
            f"a picture of {shown(image)} is no lid for one of {shown(onto)}",
            port="image",
            hint="resize it with like, or say top and left",
        )
    size, row, column = (image.shape[-2], image.shape[-1]), top or 0, left or 0
    _inside(onto, size, row, column)
    with at_port(None):
        image, onto, *given = level(image, onto, *([] if mask is None else [mask]), what="pictures")
    window = onto[:, :, row : row + size[0], column : column + size[1]]
    result = onto.clone()
    result[:, :, row : row + size[0], column : column + size[1]] = (
        masks.blended(image, window, masks.mask_at(given[0], size)) if given else image
    )
    return result


def shown(image: Tensor) -> str:
    """The size of a picture in words."""
    return f"{image.shape[-2]} × {image.shape[-1]} pixels"


@node(words=("contact sheet", "mosaic"))
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
    sizes = sorted({shown(image) for image in images})
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


def _abstract_film(
    images: list[Image],
    beside: list[Image],
    fps: float,
    pause: float,
    enlarge: int,
    format: str,
) -> Film:
    count, _, height, width = _frames(images, beside, format).shape
    shape = (count, height * enlarge, width * enlarge, 3)
    return Film(torch.empty(shape, dtype=torch.uint8, device="meta"), fps, pause, format)


def _frames(images: list[Image], beside: list[Image], format: str) -> Tensor:
    """The frames of a film, [F, 3, H, W]. Raises Mismatch."""
    sizes = sorted({shown(image) for image in (*images, *beside)})
    if not sum(map(len, images)):
        raise Mismatch("a film needs at least one picture", port="images")
    if len(sizes) > 1:
        raise Mismatch(f"pictures of {' and '.join(sizes)}", port="images", hint="resize them")
    rows = [torch.cat(part) for part in (images, beside) if part]
    counts = [len(row) for row in rows]
    if counts != counts[:1] * len(counts):
        raise Mismatch(f"{counts[0]} frames, and {counts[1]} beside them", port="beside")
    if format == "mp4" and not has_encoder():
        raise Mismatch(MISSING, port="format", hint=MEND)
    return torch.cat(rows, 3)


@node(words=("animation", "video", "movie", "GIF", "MP4", "frames"), abstract=_abstract_film)
def film(
    images: Annotated[list[Image], Doc("The frames, one after the other.")],
    beside: Annotated[list[Image], Doc("As many, which run on their right.")] = [],  # noqa: B006
    fps: Annotated[float, Range(0.5, 50, "1/s"), Doc("Frames a second.")] = 8.0,
    pause: Annotated[float, Range(0, 60, "s"), Doc("How much longer the last frame stays.")] = 1.0,
    enlarge: Annotated[int, Range(1, 16), Doc("Each pixel becomes so many a side.")] = 1,
    format: Annotated[Literal["gif", "mp4"], Doc("mp4 needs the extra `film`.")] = "gif",
) -> Film:
    """Pictures one after the other, such as those of `film_strip`; written as an animated GIF or as MP4 (H.264).

    Raises Mismatch where there is none, where sizes or numbers differ, and for MP4 without its encoder.
    """
    frames = to_bytes(_frames(images, beside, format))
    large = frames.repeat(enlarge, 1).repeat(enlarge, 2)
    return Film(torch.from_numpy(large), fps, pause, format)


@node(words=("default", "optional", "fallback", "coalesce"))
def or_else(
    otherwise: X,
    value: Annotated[X | None, Doc("Such as an optional input of the graph.")] = None,
) -> X:
    """The value, or the other where none is given."""
    return otherwise if value is None else value


def _check_caption(caption: str) -> None:
    try:
        parse_caption(caption)
    except NotACaption as error:
        raise Mismatch(str(error), port="caption") from None


def _abstract_scene(caption: str, size: int) -> Image:
    _check_caption(caption)
    return torch.empty(1, 3, size, size, device="meta")


@node(words=("render", "shapes world", "example"), abstract=_abstract_scene)
def shapes_scene(
    caption: Annotated[Text, Doc("Such as: a red circle above a blue square.")],
    size: Annotated[int, Range(16, 512), Doc("Pixels.")] = 256,
    seed: Seed = 0,
) -> Image:
    """A picture of the shapes world that a caption describes, [1, 3, size, size]; what it leaves out is drawn at random.

    Raises Mismatch for a text outside the world's grammar, ValueError for what never stands there (three large things).
    """
    _check_caption(caption)
    scene = described(caption, np.random.default_rng(seed))
    return pictures_to_signal(render(scene, size)[None])
