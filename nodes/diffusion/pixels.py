"""Pictures and masks as tensors: other sizes, blending, rectangles. A mask is 1 where known, 0 where to be made."""

import torch
import torch.nn.functional as F
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in luminance. Ref: ITU-R BT.601."""
ROUNDING = 1e-5

Size = tuple[int, int]
"""Height and width in pixels."""


def resized(x: Tensor, size: Size) -> Tensor:
    """Pictures or masks [B, C, H, W] at another size, bilinear with antialiasing; unchanged at their own."""
    if x.shape[-2:] == size:
        return x
    return F.interpolate(x, size, mode="bilinear", antialias=True, align_corners=False)


def mask_at(mask: Tensor, size: Size) -> Tensor:
    """A mask [B, 1, H, W] at another size, soft along its edges; what was known all around stays exactly 1."""
    mask = resized(mask, size).clamp(0, 1)
    whole = mask.round()
    return torch.where((mask - whole).abs() < ROUNDING, whole, mask)


def blended(x: Tensor, known: Tensor, mask: Tensor) -> Tensor:
    """`known` where the mask is 1, x where it is 0, both exactly; between them in proportion, [B, C, H, W]."""
    return torch.lerp(x, known, mask.expand_as(x))


def rectangle(size: Size, top: float, left: float, bottom: float, right: float) -> Tensor:
    """How much of each pixel a rectangle covers, [1, 1, H, W] in [0, 1]; its sides are fractions of the picture."""
    rows, columns = _covered(size[0], top, bottom), _covered(size[1], left, right)
    return (rows[:, None] * columns[None, :])[None, None]


def _covered(pixels: int, start: float, end: float) -> Tensor:
    """The share of each of a row of pixels that lies between two fractions of it, [N]."""
    near = torch.arange(pixels, dtype=torch.float64)
    inside = (near + 1).clamp(max=end * pixels) - near.clamp(min=start * pixels)
    return inside.clamp(0, 1).float()


def luminance(image: Tensor) -> Tensor:
    """Brightness of pictures [B, 3, H, W] in [−1, 1] as [B, 1, H, W] in [0, 1]."""
    weights = image.new_tensor(LUMA).reshape(1, 3, 1, 1)
    return ((image + 1) / 2 * weights).sum(1, keepdim=True).clamp(0, 1)
