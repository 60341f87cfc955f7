"""In which precision a device computes."""

from typing import Literal

import torch

from nodegraph.base.devices import computes_in

Precision = Literal["float32", "bfloat16", "float16"]


def computed_in(precision: Precision, device: str | torch.device) -> torch.dtype:
    """What products are computed in: float32 on a CPU that could only imitate less."""
    if precision == "float32" or (
        torch.device(device).type == "cpu" and not computes_in(precision)
    ):
        return torch.float32
    return torch.bfloat16 if precision == "bfloat16" else torch.float16


def imitates_bfloat16(device: str | torch.device) -> bool:
    """Whether it is a CPU without instructions for bfloat16: products then take about twenty times as long as in float32."""
    return torch.device(device).type == "cpu" and not computes_in("bfloat16")
