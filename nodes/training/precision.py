"""In which precision a device computes."""

import torch

from nodegraph.base.devices import computes_in


def imitates_bfloat16(device: str | torch.device) -> bool:
    """Whether it is a CPU without instructions for bfloat16: products then take about twenty times as long as in float32."""
    return torch.device(device).type == "cpu" and not computes_in("bfloat16")
