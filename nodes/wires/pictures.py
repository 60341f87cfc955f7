"""Pictures on the wires: how they are read, kept, shown and written."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from PIL import Image as PillowImage
from torch import Tensor

from nodegraph import warn
from nodegraph.base.framing import digest
from nodegraph.library.port import Context, PortType
from nodes.picture_files.given import given_colours
from nodes.picture_files.levels import Levels, colours
from nodes.picture_files.opening import Picture, opened
from nodes.wires.arrays import images, to_bytes, write_images
from nodes.wires.identities import of_file
from nodes.wires.tensors import describe_tensor, dump_tensor, finite, load_tensor, of_form


def from_bytes(pictures: np.ndarray) -> Tensor:
    """uint8 [B, H, W, 3] → float32 [B, 3, H, W] in [-1, 1]."""
    return torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2).float().div(127.5).sub(1)


def levels_of(literal: Any, context: Context, read: Callable[[Picture], Levels]) -> Levels:
    """The levels of a picture file; what is to be said of it becomes a warning. Raises ValueError naming the file."""
    picture = opened(context.readable(str(literal)), context.max_megapixels)
    try:
        found = read(picture)
    except ValueError as error:
        raise ValueError(f"'{literal}' cannot be read as it is: {error}") from None
    for note in found.notes:
        warn(f"'{literal}': {note}")
    return found


def _image_of(found: Levels, abstract: bool = False) -> Tensor:
    """Colours [H, W, 3] as [1, 3, H, W] in [-1, 1]."""
    values = found.values[None]
    if abstract:
        return torch.empty(1, 3, *values.shape[1:3], device="meta")
    if values.dtype == np.uint8:
        return from_bytes(values)
    return torch.from_numpy(values).permute(0, 3, 1, 2).mul(2).sub(1)


def _read_image(literal: Any, context: Context) -> Tensor:
    """A picture file as [1, 3, H, W] in sRGB; transparency is laid on white."""
    return _image_of(levels_of(literal, context, colours), context.abstract)


def _given_image(value: Any) -> Tensor:
    return value if isinstance(value, Tensor) else _image_of(said(given_colours(value)))


def said(found: Levels) -> Levels:
    """The levels of a picture that Python gave, once what is to be said of it was said."""
    for note in found.notes:
        warn(f"this picture: {note}")
    return found


def preview_image(value: Tensor) -> bytes | None:
    """The first picture as a PNG, at most 256 px wide; made in haste, since somebody waits."""
    picture = PillowImage.fromarray(to_bytes(value[:1].clamp(-1, 1))[0])
    picture.thumbnail((256, 256))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def example_image(context: Context) -> Tensor:
    """A grey picture [1, 3, 64, 64]."""
    return torch.zeros(1, 3, 64, 64, device="meta" if context.abstract else "cpu")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a picture is written, and the text chunks that it carries."""

    path: Path
    provenance: Mapping[str, str]


def _target(literal: Any, context: Context) -> Target:
    path = context.writable(str(literal))
    if path.suffix.lower() != ".png":
        raise ValueError(f"pictures are written as PNG, so '{literal}' must end with .png")
    return Target(path, context.provenance())


Image = Annotated[
    Tensor,
    PortType(
        "Image",
        "Pictures, float32 [B, 3, H, W] in [-1, 1].",
        literal="path",
        colour="#4cc38a",
        shape="square",
        parse=_read_image,
        given=_given_image,
        identify=of_file,
        arrays=images,
        digest=digest,
        dump=dump_tensor,
        load=load_tensor,
        write=write_images,
        describe=describe_tensor,
        preview=preview_image,
        example=example_image,
        check=of_form(3, None, None),
        finite=finite,
    ),
]
PictureFile = Annotated[
    Target,
    PortType("PictureFile", "A PNG below the output folder.", literal="path", parse=_target),
]
