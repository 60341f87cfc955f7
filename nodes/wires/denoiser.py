"""Denoisers on the wires."""

from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from nodegraph.library.port import PortType
from nodes.diffusion.denoisers import Denoiser, Leaf, Prediction, Predictions


def _describe_denoiser(value: Denoiser[Any]) -> str:
    calls = len(value.leaves)
    shape = list(value.sample_shape)
    return f"{type(value).__name__} of {shape}, {calls} network call{'s' * (calls != 1)}"


_probed: WeakKeyDictionary[Leaf, dict[int, Prediction]] = WeakKeyDictionary()


def _probe_denoiser(value: Denoiser[Any]) -> None:
    """Call the denoiser once on shapes, so that a wrong condition shows where the denoiser is made.

    What its networks give is known where they were probed before.
    """
    rows = value.rows
    x_t = torch.empty(rows, *value.sample_shape, device="meta")
    t = torch.zeros(rows, dtype=torch.int64, device="meta")
    leaves: dict[Denoiser[Any], Prediction] = {
        leaf: _probed_leaf(leaf, x_t, t) for leaf in value.needs(t)
    }
    Predictions(x_t, t, leaves)[value]


def _probed_leaf(leaf: Leaf, x_t: Tensor, t: Tensor) -> Prediction:
    known = _probed.setdefault(leaf, {})
    if len(x_t) not in known:
        known[len(x_t)] = leaf(x_t, t)
    return known[len(x_t)]


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
