"""Denoisers on the wires."""

from typing import Any

import torch

from nodegraph.types import PortType
from nodes.diffusion.denoisers import Denoiser


def _describe_denoiser(value: Denoiser[Any]) -> str:
    calls = len(value.leaves)
    shape = list(value.sample_shape)
    return f"{type(value).__name__} of {shape}, {calls} network call{'s' * (calls != 1)}"


def _probe_denoiser(value: Denoiser[Any]) -> None:
    """Call the denoiser once on shapes, so that a wrong condition shows where the denoiser is made."""
    rows = value.rows
    value(
        torch.empty(rows, *value.sample_shape, device="meta"),
        torch.zeros(rows, dtype=torch.int64, device="meta"),
    )


PORT_TYPES: dict[type, PortType] = {
    Denoiser: PortType(
        "Denoiser",
        "(x_t, t) → what is known about x_0: a network under its conditions, and every technique around it.",
        colour="#ef4444",
        shape="diamond",
        describe=_describe_denoiser,
        probe=_probe_denoiser,
    ),
}
