"""The same pictures on cuda as on the CPU. Skipped, with the reason, where there is no cuda."""

from pathlib import Path

import pytest
import torch

from nodegraph.api import load
from nodes.shapes.oracle import judge
from nodes.wires.pictures import to_bytes

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no cuda device on this machine"),
]


def picture(folder: Path, device: str, precision: str = "float32") -> torch.Tensor:
    graph = load(
        "glide/text_to_image", device=device, precision=precision, out=folder, cached=False
    )
    return graph(prompt="a red circle", steps="20", count=4).image.cpu()


def test_float32_agrees_with_the_cpu(tmp_path: Path) -> None:
    here, there = picture(tmp_path, "cpu"), picture(tmp_path, "cuda")
    close = (here - there).abs() <= 2 / 255
    assert float(close.float().mean()) >= 0.995


def test_bfloat16_draws_what_was_asked_for(tmp_path: Path) -> None:
    for drawn in to_bytes(picture(tmp_path, "cuda", "bfloat16")):
        assert judge("a red circle", drawn).colour
