"""Tensors on the wires: how they are kept, described and checked; any signal."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from nodegraph.library.port import PortType
from nodes.wires.arrays import TENSOR_FILE


def finite(value: Tensor) -> bool:
    """Whether no value is NaN or infinite. A sum that is finite says so at once."""
    return bool(value.sum().isfinite()) or bool(value.isfinite().all())


def of_form(*channels: int | None) -> Callable[[Tensor], str | None]:
    """A check that a tensor is float32 [B, *channels], None standing for any length."""
    names = iter("HWDEFG")
    wanted = ", ".join(["B", *(str(n) if n else next(names) for n in channels)])

    def check(value: Tensor) -> str | None:
        shape = value.shape[1:]
        fits = value.dim() == 1 + len(channels) and all(
            n is None or n == given for n, given in zip(channels, shape, strict=True)
        )
        return None if fits and value.dtype is torch.float32 else f"float32 [{wanted}]"

    return check


def _check_signal(value: Tensor) -> str | None:
    return None if value.dim() and value.dtype is torch.float32 else "float32 [B, …]"


def dump_tensor(value: Tensor, folder: Path) -> None:
    """Keep a tensor in a folder."""
    save_file({"tensor": value.contiguous().cpu()}, folder / TENSOR_FILE)


def load_tensor(folder: Path) -> Tensor:
    """The tensor that is kept in a folder."""
    return load_file(folder / TENSOR_FILE)["tensor"]


def describe_tensor(value: Tensor) -> str:
    """Its dtype, shape, span and device."""
    shape = ", ".join(str(n) for n in value.shape)
    span = (
        "" if value.is_meta or not value.numel() else f" in [{value.min():.3g}, {value.max():.3g}]"
    )
    return f"{str(value.dtype).removeprefix('torch.')}[{shape}]{span} on {value.device}"


Signal = Annotated[
    Tensor,
    PortType(
        "Signal",
        "Any float32 [B, …]: points, features.",
        check=_check_signal,
        colour="#b39ddb",
        dump=dump_tensor,
        load=load_tensor,
        describe=describe_tensor,
    ),
]
