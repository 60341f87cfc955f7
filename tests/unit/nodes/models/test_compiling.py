"""Networks whose blocks are compiled, and machines where nothing can be compiled."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nodegraph.base.paths import Sandbox
from nodegraph.library.port import Context
from nodegraph.runtime.context import RunContext
from nodes.models.place import place_of
from nodes.networks.config import UNetConfig
from nodes.networks.unet.network import UNet

CONFIG = UNetConfig(
    image_size=8, model_channels=32, blocks=1, multipliers=(1,), attention=(1,), heads=2
)
GRAPH = """graph: 1
nodes:
  network: {type: unet_denoiser, model: shapes/glide/base, conditions: $text}
  text: {type: text_encoder, model: shapes/glide/base, text: a red circle}
  schedule: {type: noise_scheduler, model: shapes/glide/base, steps: 1}
  image: {type: ancestral_sampler, denoiser: $network, schedule: $schedule}
outputs: {image: $image}
"""


def context(compiled: bool) -> Context:
    return RunContext(Sandbox((), Path()), compiled=compiled)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of torch's compiler
def test_compiled_blocks_say_the_same_for_every_batch(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))
    torch.manual_seed(0)
    network = UNet(CONFIG)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    as_it_is = place_of(context(False)).put(network)
    asked = [(torch.randn(n, 3, 8, 8), torch.full((n,), 7)) for n in (1, 2, 5)]
    expected = [as_it_is(*one) for one in asked]
    compiled = place_of(context(True)).put(network)
    for one, wanted in zip(asked, expected, strict=True):
        torch.testing.assert_close(compiled(*one), wanted, rtol=1e-4, atol=1e-4)
    assert [m for m in compiled.modules() if getattr(m, "_compiled_call_impl", None) is not None]
    assert list((tmp_path / "inductor").rglob("*.so"))


def test_without_a_compiler_networks_run_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "g.yaml").write_text(GRAPH)
    clean = {n: v for n, v in os.environ.items() if n not in ("CXX", "TORCHINDUCTOR_CACHE_DIR")}
    found = subprocess.run(
        [sys.executable, "-m", "nodegraph", "run", "g.yaml", "--compile", "--no-cache"],
        cwd=tmp_path,
        env={**clean, "PATH": str(tmp_path), "NODEGRAPH_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    assert "networks are not compiled: " in found.stderr
    assert "leave --compile out" in found.stderr
    assert list((tmp_path / "out").glob("*.png"))


def test_what_gradients_are_taken_through_is_not_compiled() -> None:
    place = place_of(context(True))
    assert place.compiled
    assert place.in_full() == replace(place, compiled=False)
