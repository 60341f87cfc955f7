"""Files in half precision, and runs in half precision."""

from pathlib import Path

import pytest
import torch
from test_models_command import NAME, command, models, publish, state_dict  # noqa: F401

from nodegraph.base.paths import Sandbox
from nodegraph.library.port import Precision
from nodegraph.runtime.context import RunContext
from nodes.checkpoints.openai import UNET_KEYS
from nodes.models.classifier import Classifier
from nodes.models.handle import parsed
from nodes.models.noised_clip import NoisedClip
from nodes.models.unet import UNet, parse_unet


def handle(precision: Precision = "float32") -> UNet:
    return parse_unet(NAME, RunContext(Sandbox((), Path()), precision=precision))


@pytest.fixture
def added(models: Path, tmp_path: Path) -> dict[str, torch.Tensor]:  # noqa: F811
    """A model whose file holds float16."""
    publish(models, "http://127.0.0.1:9/base.pt")
    weights = {key: value.half() for key, value in state_dict().items()}
    torch.save(weights, tmp_path / "half.pt")
    command("add", str(tmp_path / "half.pt"), "--as", NAME)
    return weights


def test_a_file_in_half_precision_runs_in_full(added: dict[str, torch.Tensor]) -> None:
    loaded = handle().module().state_dict()
    for key, value in UNET_KEYS.ours(added).items():
        assert loaded[key].dtype == torch.float32
        assert torch.equal(loaded[key], value.float()), key


@pytest.mark.parametrize(("precision", "share"), [("float16", 0.01), ("bfloat16", 0.08)])
def test_a_network_in_half_precision_says_about_the_same(
    added: dict[str, torch.Tensor], precision: Precision, share: float
) -> None:
    full, half = handle(), handle(precision)
    assert half.needs.size * 2 == full.needs.size
    pooled, tokens = full.encode(["a red circle"])
    x = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    t = torch.tensor([3, 997])
    conditions = {"embedding": pooled.expand(2, -1), "tokens": tokens.expand(2, -1, -1)}
    expected = full.module()(x, t, **conditions)
    found = half.module()(x, t, **conditions)
    assert found.dtype == torch.float32
    error = (found - expected).pow(2).mean().sqrt() / expected.pow(2).mean().sqrt()
    assert 0 < float(error) < share
    torch.testing.assert_close(half.encode(["a red circle"])[1], tokens, atol=share, rtol=share)


@pytest.mark.parametrize(
    ("kind", "name"), [(Classifier, "openai/adm-64/classifier"), (NoisedClip, "openai/glide/clip")]
)
def test_guides_keep_full_precision(kind: type, name: str) -> None:
    """Their gradients would underflow."""
    context = RunContext(Sandbox((), Path()), device="meta", precision="float16")
    model = parsed(kind, name, context)
    assert next(model.module().parameters()).dtype == torch.float32
    assert model.needs.size == 4 * model.needs.parameters
