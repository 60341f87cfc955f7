"""Pictures and masks as arrays of numpy: how what is kept is read, told and written as PNG. Imports no torch."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as PillowImage
from PIL.PngImagePlugin import PngInfo
from safetensors.numpy import load_file

from nodegraph.library.port import PortType

TENSOR_FILE = "tensor.safetensors"
"""In which tensors are kept, one under the name `tensor`."""
MAGENTA = (255.0, 0.0, 255.0)
Array = np.ndarray[Any, np.dtype[Any]]


def array_of(value: Any) -> Array:
    """A tensor, on any device, as an array; an array as it is."""
    return value if isinstance(value, np.ndarray) else value.detach().float().cpu().numpy()


def finite(value: Array) -> bool:
    """Whether no value is NaN or infinite. A sum that is finite says so at once."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(value.sum())) or bool(np.isfinite(value).all())


def to_bytes(image: Any) -> Array:
    """Pictures [B, 3, H, W] in [-1, 1], a tensor or an array → uint8 [B, H, W, 3], rounded to the nearest level.

    A pixel that is NaN or infinite in any channel becomes magenta, so that nobody takes it for black or white.
    """
    values = array_of(image)
    levels = np.clip(np.rint((values + 1) * 127.5), 0, 255)
    if not finite(values):
        broken = ~np.isfinite(values).all(1, keepdims=True)
        levels = np.where(broken, np.array(MAGENTA, levels.dtype).reshape(1, 3, 1, 1), levels)
    return levels.astype(np.uint8).transpose(0, 2, 3, 1)


def write_images(
    value: Any, folder: Path, stem: str, provenance: Mapping[str, str]
) -> Sequence[Path]:
    """One PNG for each picture of a tensor or an array [B, 3, H, W]: `stem.png`, or `stem-0.png`, `stem-1.png`, … with the
    provenance as text chunks."""
    pictures = to_bytes(value)
    names = [stem] if len(pictures) == 1 else [f"{stem}-{i}" for i in range(len(pictures))]
    return [
        _write_png(p, folder / f"{n}.png", provenance) for p, n in zip(pictures, names, strict=True)
    ]


def _write_png(picture: Array, path: Path, provenance: Mapping[str, str]) -> Path:
    chunks = PngInfo()
    for key, text in provenance.items():
        chunks.add_itxt(key, text, zip=True)
    PillowImage.fromarray(picture).save(path, pnginfo=chunks)
    return path


def write_masks(
    value: Any, folder: Path, stem: str, provenance: Mapping[str, str]
) -> Sequence[Path]:
    """The same of masks [B, 1, H, W] in [0, 1], as greys."""
    return write_images(np.repeat(array_of(value) * 2 - 1, 3, 1), folder, stem, provenance)


def _load(folder: Path) -> Array:
    return load_file(folder / TENSOR_FILE)["tensor"]


def _describe(value: Array) -> str:
    """As a tensor on the CPU is described."""
    shape = ", ".join(map(str, value.shape))
    span = f" in [{value.min():.3g}, {value.max():.3g}]" if value.size else ""
    return f"{value.dtype}[{shape}]{span} on cpu"


def images() -> PortType:
    """`Image` for arrays."""
    return PortType("Image", load=_load, write=write_images, describe=_describe, finite=finite)


def masks() -> PortType:
    """`Mask` for arrays."""
    return PortType("Mask", load=_load, write=write_masks, describe=_describe)
