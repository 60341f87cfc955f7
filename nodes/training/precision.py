"""In which precision a device computes."""

import torch


def imitates_bfloat16(device: str | torch.device) -> bool:
    """Whether it is a CPU without instructions for bfloat16: products then take about twenty times as long as in float32."""
    native = torch.ops.mkldnn._is_mkldnn_bf16_supported()  # pyright: ignore
    return torch.device(device).type == "cpu" and not native
