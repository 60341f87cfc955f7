"""Pictures of which some pixels are known, at the size of a network. Masks [R, 1, H, W] in [0, 1]; 1 = known."""

import torch
import torch.nn.functional as F
from torch import Tensor

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
