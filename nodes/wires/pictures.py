"""Tensors on the wires: pictures, masks, and any signal; how they are read, kept, shown and written."""

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from PIL import Image as PillowImage
from PIL.PngImagePlugin import PngInfo
from safetensors.torch import load_file, save_file
from torch import Tensor

from nodegraph import warn
from nodegraph.framing import digest
from nodegraph.types import Context, PortType
from nodes.picture_files.given import given_colours, given_greys
from nodes.picture_files.levels import Levels, colours, greys, opacity
from nodes.picture_files.opening import Picture, opened

TENSOR_FILE = "tensor.safetensors"


MAGENTA = (255.0, 0.0, 255.0)


def to_bytes(image: Tensor) -> np.ndarray:
    """Pictures [B, 3, H, W] in [-1, 1] → uint8 [B, H, W, 3], rounded to the nearest level.

    A pixel that is NaN or infinite in any channel becomes magenta, so that nobody takes it for black or white.
    """
    levels = image.detach().float().add(1).mul(127.5).round().clamp(0, 255)
    if not finite(image):
        broken = ~image.detach().isfinite().all(1, keepdim=True)
        levels = levels.where(~broken, levels.new_tensor(MAGENTA).view(1, 3, 1, 1))
    return levels.byte().permute(0, 2, 3, 1).cpu().numpy()


def from_bytes(pictures: np.ndarray) -> Tensor:
    """uint8 [B, H, W, 3] → float32 [B, 3, H, W] in [-1, 1]."""
    return torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2).float().div(127.5).sub(1)


def finite(value: Tensor) -> bool:
    """Whether no value is NaN or infinite. A sum that is finite says so at once."""
    return bool(value.sum().isfinite()) or bool(value.isfinite().all())


def of_form(*channels: int | None) -> Callable[[Tensor], str | None]:
    """A check that a tensor is float32 [B, *channels], None standing for any length."""
    names = iter("HWDEFG")
    wanted = ", ".join(["B", *(str(n) if n else next(names) for n in channels)])

    def check(value: Tensor) -> str | None:
        shape = value.shape[1:]
        fits = value.dim() == 1 + len(channels) and all(
            n is None or n == given for n, given in zip(channels, shape, strict=True)
        )
        return None if fits and value.dtype is torch.float32 else f"float32 [{wanted}]"

    return check


_check_plane = of_form(1, None, None)


def _check_mask(value: Tensor) -> str | None:
    wrong = _check_plane(value)
    if wrong is not None or value.is_meta or not value.numel():
        return wrong
    low, high = value.aminmax()
    return None if low >= 0 and high <= 1 else "float32 [B, 1, H, W] in [0, 1]"


def _check_signal(value: Tensor) -> str | None:
    return None if value.dim() and value.dtype is torch.float32 else "float32 [B, …]"


def _dump_tensor(value: Tensor, folder: Path) -> None:
    save_file({"tensor": value.contiguous().cpu()}, folder / TENSOR_FILE)


def _load_tensor(folder: Path) -> Tensor:
    return load_file(folder / TENSOR_FILE)["tensor"]


def describe_tensor(value: Tensor) -> str:
    """Its dtype, shape, span and device."""
    shape = ", ".join(str(n) for n in value.shape)
    span = (
        "" if value.is_meta or not value.numel() else f" in [{value.min():.3g}, {value.max():.3g}]"
    )
    return f"{str(value.dtype).removeprefix('torch.')}[{shape}]{span} on {value.device}"


def _levels(literal: Any, context: Context, read: Callable[[Picture], Levels]) -> Levels:
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


def mask_of(found: Levels, abstract: bool = False) -> Tensor:
    """Greys or opacities [H, W] as [1, 1, H, W] in [0, 1]."""
    values = found.values[None, None]
    if abstract:
        return torch.empty(values.shape, device="meta")
    scale = 255 if values.dtype == np.uint8 else 1
    return torch.from_numpy(values).float().div(scale)


def _read_image(literal: Any, context: Context) -> Tensor:
    """A picture file as [1, 3, H, W] in sRGB; transparency is laid on white."""
    return _image_of(_levels(literal, context, colours), context.abstract)


def _read_mask(literal: Any, context: Context) -> Tensor:
    """The grey levels of a picture file as a mask: white (1) = known."""
    return mask_of(_levels(literal, context, greys), context.abstract)


def read_opacity(literal: Any, context: Context) -> Tensor:
    """The opacity of a picture file as a mask: opaque (1) = known. Raises ValueError where it has none."""
    return mask_of(_levels(literal, context, opacity), context.abstract)


def _given_image(value: Any) -> Tensor:
    return value if isinstance(value, Tensor) else _image_of(_said(given_colours(value)))


def _given_mask(value: Any) -> Tensor:
    return value if isinstance(value, Tensor) else mask_of(_said(given_greys(value)))


def _said(found: Levels) -> Levels:
    for note in found.notes:
        warn(f"this picture: {note}")
    return found


def write_images(
    value: Tensor, folder: Path, stem: str, provenance: Mapping[str, str]
) -> Sequence[Path]:
    """One PNG for each picture: `stem.png`, or `stem-0.png`, `stem-1.png`, … with the provenance as text chunks."""
    pictures = to_bytes(value)
    names = [stem] if len(pictures) == 1 else [f"{stem}-{i}" for i in range(len(pictures))]
    return [
        _write_png(p, folder / f"{n}.png", provenance) for p, n in zip(pictures, names, strict=True)
    ]


def _write_png(picture: np.ndarray, path: Path, provenance: Mapping[str, str]) -> Path:
    chunks = PngInfo()
    for key, text in provenance.items():
        chunks.add_itxt(key, text, zip=True)
    PillowImage.fromarray(picture).save(path, pnginfo=chunks)
    return path


def _write_masks(
    value: Tensor, folder: Path, stem: str, provenance: Mapping[str, str]
) -> Sequence[Path]:
    return write_images(value.mul(2).sub(1).expand(-1, 3, -1, -1), folder, stem, provenance)


def _preview_image(value: Tensor) -> bytes | None:
    """The first picture as a PNG, at most 256 px wide."""
    picture = PillowImage.fromarray(to_bytes(value[:1].clamp(-1, 1))[0])
    picture.thumbnail((256, 256))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _example_image(context: Context) -> Tensor:
    return torch.zeros(1, 3, 64, 64, device="meta" if context.abstract else "cpu")


def _example_mask(context: Context) -> Tensor:
    return _example_image(context)[:, :1]


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
        digest=digest,
        dump=_dump_tensor,
        load=_load_tensor,
        write=write_images,
        describe=describe_tensor,
        preview=_preview_image,
        example=_example_image,
        check=of_form(3, None, None),
        finite=finite,
    ),
]
Mask = Annotated[
    Tensor,
    PortType(
        "Mask",
        "float32 [B, 1, H, W] in [0, 1]; 1 = known, 0 = to be made.",
        literal="path",
        colour="#e5e7eb",
        shape="square",
        parse=_read_mask,
        given=_given_mask,
        digest=digest,
        dump=_dump_tensor,
        load=_load_tensor,
        write=_write_masks,
        describe=describe_tensor,
        example=_example_mask,
        check=_check_mask,
    ),
]
Signal = Annotated[
    Tensor,
    PortType(
        "Signal",
        "Any float32 [B, …]: points, features.",
        check=_check_signal,
        colour="#b39ddb",
        dump=_dump_tensor,
        load=_load_tensor,
        describe=describe_tensor,
    ),
]
