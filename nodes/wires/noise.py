"""Noise on the wires: noisy samples with their place in the chain, and where noise comes from."""

from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from nodegraph.base.framing import digest
from nodegraph.library.port import Context, PortType
from nodes.checkpoints.reading import naming
from nodes.diffusion.noise import Noise, NoiseSource, RecordedNoise
from nodes.wires.arrays import TENSOR_FILE
from nodes.wires.identities import of_file
from nodes.wires.stored import stored
from nodes.wires.tensors import describe_tensor


def _check_noise(value: Noise[Any]) -> str | None:
    fits = isinstance(value.x_t, Tensor) and value.x_t.dtype is torch.float32
    return None if fits and 0 <= value.timestep < value.train_steps else "x_t float32 [B, …]"


def _describe_noise(value: Noise[Any]) -> str:
    where = f"at step {value.timestep} of {value.train_steps}, {value.kind}"
    return f"{describe_tensor(value.x_t)}, {where}"


def _read_noise(literal: Any, context: Context) -> NoiseSource:
    path = context.readable(str(literal))
    with naming(path):
        tensors = load_file(path)
    if "initial" not in tensors:
        raise ValueError(
            f"{path.name} holds no tensor 'initial'; it has {', '.join(sorted(tensors))}"
        )
    return RecordedNoise(tensors["initial"], tensors.get("steps"))


PORT_TYPES: dict[type, PortType] = {
    Noise: PortType(
        "Noise",
        "Noisy samples x_t, x_T or before, with their place in the chain: what a sampler may start from.",
        colour="#94a3b8",
        shape="square",
        **stored(Noise, TENSOR_FILE),
        describe=_describe_noise,
        check=_check_noise,
    ),
    NoiseSource: PortType(
        "NoiseSource",
        "Where noise comes from; a safetensors file with `initial` [B, …] and perhaps `steps` [S, B, …].",
        literal="path",
        colour="#94a3b8",
        parse=_read_noise,
        identify=of_file,
        digest=digest,
    ),
}
