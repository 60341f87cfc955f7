"""Films on the wires."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from torch import Tensor

from nodegraph.library.port import PortType
from nodegraph.runtime.provenance import CHUNK
from nodes.picture_files.films import write_gif, write_mp4
from nodes.wires.arrays import TENSOR_FILE
from nodes.wires.pictures import from_bytes, preview_image
from nodes.wires.stored import stored


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class Film:
    """Frames, uint8 [F, H, W, 3] in sRGB, `fps` a second; the last stays `pause` seconds longer. `format`: gif or mp4."""

    frames: Tensor
    fps: float
    pause: float
    format: str

    def __repr__(self) -> str:
        return f"<film of {_describe_film(self)}>"

    def _repr_html_(self) -> str:
        """The film itself, in notebooks."""
        with TemporaryDirectory() as folder:
            (path,) = write_film(self, Path(folder), "film", {})
            data = b64encode(path.read_bytes()).decode("ascii")
        if self.format == "gif":
            return f'<img alt="film" src="data:image/gif;base64,{data}">'
        return f'<video controls loop src="data:video/mp4;base64,{data}"></video>'


def write_film(
    value: Film, folder: Path, stem: str, provenance: Mapping[str, str]
) -> Sequence[Path]:
    """The film as `stem.gif` or `stem.mp4`, with where it comes from as its comment. Raises ValueError without the encoder."""
    path, frames = folder / f"{stem}.{value.format}", value.frames.numpy()
    comment = provenance.get(CHUNK, "")
    if value.format == "gif":
        seconds = [1 / value.fps] * len(frames)
        write_gif(frames, [*seconds[:-1], seconds[-1] + value.pause], path, comment)
    else:
        still = round(value.pause * value.fps)
        write_mp4(np.concatenate([frames, *[frames[-1:]] * still]), value.fps, path, comment)
    return [path]


def _describe_film(value: Film) -> str:
    count, height, width, _ = value.frames.shape
    return f"{count} frames of {height} × {width} pixels, {value.fps:g} a second, {value.format}"


def _preview_film(value: Film) -> bytes | None:
    """The last frame: what the film comes to."""
    return preview_image(from_bytes(value.frames[-1:].numpy()))


def _check_film(value: Film) -> str | None:
    frames: Any = value.frames
    right = isinstance(frames, Tensor) and frames.ndim == 4 and len(frames) and frames.shape[3] == 3
    return None if right and value.format in ("gif", "mp4") else "uint8 [F, H, W, 3], gif or mp4"


PORT_TYPES = {
    Film: PortType(
        "Film",
        "Moving pictures, written as GIF or MP4.",
        colour="#0d9488",
        shape="square",
        **stored(Film, TENSOR_FILE),
        write=write_film,
        describe=_describe_film,
        preview=_preview_film,
        check=_check_film,
    ),
}
