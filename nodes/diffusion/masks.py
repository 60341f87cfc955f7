"""Pictures of which some pixels are known, at any size. Masks [R, 1, H, W] in [0, 1]; 1 = known."""

import torch
import torch.nn.functional as F
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in luminance. Ref: ITU-R BT.601."""
ROUNDING = 1e-5
WHOLLY = 1 - 1e-3
"""From here on a pixel counts as known: what is left is rounding."""


def resampled(pictures: Tensor, size: tuple[int, int]) -> Tensor:
    """Pictures [B, C, h, w] at another size, bilinear with antialiasing; as they are where they have it already."""
    if tuple(pictures.shape[-2:]) == size:
        return pictures
    return F.interpolate(pictures, size, mode="bilinear", antialias=True)


def fitted(image: Tensor, mask: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """A picture and its mask of any resolutions at a size; at soft edges only colours of known pixels count."""
    height, width = image.shape[-2:]
    weight = resampled(mask, (height, width)).clamp(0, 1)
    if (height, width) == size:
        return image, weight
    share = resampled(weight, size).clamp(0, 1)
    colours = resampled(image * weight, size) / share.clamp(min=1e-6)
    return torch.where(share > 0, colours, torch.zeros_like(colours)).clamp(-1, 1), share


def wholly_known(mask: Tensor) -> Tensor:
    """1 where a pixel is known as a whole, else 0: what a network that was trained on sharp masks is told."""
    return (mask >= WHOLLY).to(mask.dtype)


def mask_at(mask: Tensor, size: tuple[int, int]) -> Tensor:
    """A mask [B, 1, H, W] at another size, soft along its edges; what was known all around stays exactly 1."""
    mask = resampled(mask, size).clamp(0, 1)
    whole = mask.round()
    return torch.where((mask - whole).abs() < ROUNDING, whole, mask)


def blended(x: Tensor, known: Tensor, mask: Tensor) -> Tensor:
    """`known` where the mask is 1, x where it is 0, both exactly; between them in proportion, [B, C, H, W]."""
    return torch.lerp(x, known, mask.expand_as(x))


def rectangle(
    size: tuple[int, int], top: float, left: float, bottom: float, right: float
) -> Tensor:
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
