"""Moving pictures as files: GIF by Pillow, MP4 by PyAV, which is an extra. Imports no torch."""

from collections.abc import Sequence
from fractions import Fraction
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

MISSING = "films in MP4 need PyAV, which is not installed"
MEND = "pip install 'nodegraph[film]', or choose gif"
QUALITY = "14"
"""The constant rate factor of H.264: 0 is without loss, 51 the worst; at 18 few see a loss."""
Frames = np.ndarray[Any, np.dtype[np.uint8]]
"""uint8 [F, H, W, 3], sRGB."""


def has_encoder() -> bool:
    """Whether films can be written as MP4."""
    return find_spec("av") is not None


def write_gif(frames: Frames, seconds: Sequence[float], path: Path, comment: str) -> None:
    """A GIF that begins again at its end; each frame stays for so many seconds, in hundredths, and has its own 256 colours."""
    first, *rest = (Image.fromarray(frame) for frame in frames)
    first.save(
        path,
        save_all=True,
        append_images=rest,
        duration=[round(100 * s) * 10 for s in seconds],
        loop=0,
        comment=comment.encode(),
    )


def write_mp4(frames: Frames, fps: float, path: Path, comment: str) -> None:
    """An MP4 in H.264, 4:2:0; an odd last row or column stands twice. Raises ValueError where PyAV is missing."""
    if not has_encoder():
        raise ValueError(f"{MISSING}: {MEND}")
    av: Any = import_module("av")
    height, width = (side % 2 for side in frames.shape[1:3])
    even = np.pad(frames, ((0, 0), (0, height), (0, width), (0, 0)), "edge")
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as file:
        file.metadata["comment"] = comment
        stream = file.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000))
        stream.width, stream.height, stream.pix_fmt = even.shape[2], even.shape[1], "yuv420p"
        stream.options, stream.thread_count = {"crf": QUALITY}, 1
        for frame in even:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        file.mux(stream.encode())
