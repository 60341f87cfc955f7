"""What low-resolution pictures suffer in training, so that an upsampler mends what an earlier stage draws badly."""

import torch
import torch.nn.functional as F
from torch import Tensor

from nodes.training.draws import Draw


def degraded(small: Tensor, draw: Draw, noise: float, blur: float) -> Tensor:
    """Pictures [B, C, h, w], each blurred by a Gaussian of σ up to `blur` px, then with noise of deviation up to `noise`.

    Ref: Saharia et al. 2021 (SR3), §3; Ho et al. 2022 (cascaded diffusion), §4.2.
    """
    if blur:
        small = blurred(small, torch.from_numpy(draw.uniform() * blur).to(small), round(3 * blur))
    strength = torch.from_numpy(draw.uniform() * noise).to(small)
    return small + strength.reshape(-1, 1, 1, 1) * draw.normal(small)


def blurred(pictures: Tensor, sigma: Tensor, reach: int) -> Tensor:
    """Pictures [B, C, h, w] under a Gaussian of each row's own σ [B], cut off `reach` px away; borders are repeated."""
    offsets = torch.arange(-reach, reach + 1).to(sigma)  # [K]
    weights = torch.exp(-0.5 * (offsets / sigma[:, None].clamp(min=1e-3)).square())  # [B, K]
    weights = weights / weights.sum(1, keepdim=True)
    channels = pictures.shape[1]
    kernels = weights.repeat_interleave(channels, 0)[:, None, None]  # [B·C, 1, 1, K]
    wide = F.pad(pictures, (reach, reach, reach, reach), mode="replicate")
    rows = wide.flatten(0, 1)[None]  # [1, B·C, h + 2R, w + 2R]
    rows = F.conv2d(rows, kernels, groups=len(kernels))
    rows = F.conv2d(rows, kernels.transpose(2, 3), groups=len(kernels))
    return rows[0].unflatten(0, (-1, channels))  # [B, C, h, w]
