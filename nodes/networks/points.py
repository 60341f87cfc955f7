"""A small network for points in the plane, or any short vector: a multilayer perceptron under a time embedding."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from nodes.networks.blocks import timestep_embedding


class PointNetwork(nn.Module):
    """ε, x_0 or v of x_t [B, D] at t [B]; `layers` hidden layers of `width`."""

    def __init__(self, dimensions: int, width: int, layers: int) -> None:
        super().__init__()
        self.width = width
        sizes = [dimensions + width, *[width] * layers]
        hidden = [nn.Sequential(nn.Linear(a, b), nn.SiLU()) for a, b in pairwise(sizes)]
        self.layers = nn.Sequential(*hidden, nn.Linear(width, dimensions))

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        return self.layers(
            torch.cat([x_t, timestep_embedding(t, self.width).to(x_t.dtype)], 1)
        )  # [B, D]
