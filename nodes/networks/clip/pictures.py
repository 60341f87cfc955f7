"""Pictures as a CLIP takes them: a square, resized as bytes, in the arithmetic of the program that it was trained with."""

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from nodes.networks.config import ClipConfig, ClipPictures

_PILLOW = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


def clip_pixels(image: Tensor, config: ClipConfig) -> Tensor:
    """Pictures [B, 3, H, W] in [−1, 1] as CLIP takes them, [B, 3, S, S].

    They are resized on the CPU: each pass of the filter is rounded and clipped, as in CLIP's training.
    """
    levels = image.detach().float().clamp(-1, 1).add(1).mul(127.5).round().byte().cpu()
    square = _square(levels, config.image_size, config.pictures).to(image.device) / 255
    means, deviations = (
        square.new_tensor(v).reshape(3, 1, 1) for v in (config.means, config.deviations)
    )
    return (square - means) / deviations


def _square(levels: Tensor, size: int, pictures: ClipPictures) -> Tensor:
    """Bytes [B, 3, H, W] as bytes [B, 3, S, S]."""
    resized = _resized(levels, _target(levels, size, pictures.resize_mode), pictures)
    height, width = resized.shape[-2:]
    missing = max(size - height, 0), max(size - width, 0)
    if any(missing):
        sides = [side for rest in reversed(missing) for side in (rest // 2, rest - rest // 2)]
        resized = F.pad(resized, sides, value=pictures.fill)
    top, left = (_first(rest, pictures) for rest in (height - size, width - size))
    return resized[..., top : top + size, left : left + size]


def _target(levels: Tensor, size: int, mode: str) -> tuple[int, int]:
    """Height and width before the middle is cut out, or a rim is added."""
    height, width = levels.shape[-2:]
    if mode == "squash":
        return size, size
    if mode == "longest":
        ratio = max(height / size, width / size)
        return round(height / ratio), round(width / ratio)
    short = min(height, width)
    return size * height // short, size * width // short


def _first(rest: int, pictures: ClipPictures) -> int:
    """Where the middle begins, of a side that is longer by `rest`."""
    half = round(rest / 2) if pictures.program == "open_clip" else rest // 2
    return max(half, 0)


def _resized(levels: Tensor, target: tuple[int, int], pictures: ClipPictures) -> Tensor:
    if target == tuple(levels.shape[-2:]):
        return levels
    mode = pictures.interpolation
    if pictures.program == "transformers":
        return F.interpolate(levels, target, mode=mode, antialias=True, align_corners=False)
    rows = [_by_pillow(row.permute(1, 2, 0).numpy(), target, mode) for row in levels]
    return torch.from_numpy(np.stack(rows)).permute(0, 3, 1, 2)


def _by_pillow(picture: np.ndarray, target: tuple[int, int], mode: str) -> np.ndarray:
    """A picture [H, W, 3] of bytes at another size."""
    height, width = target
    image = Image.fromarray(np.ascontiguousarray(picture))
    return np.asarray(image.resize((width, height), _PILLOW[mode]))
