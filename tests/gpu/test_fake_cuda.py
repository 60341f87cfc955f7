"""Every shipped graph on a cuda device that is not there: no tensor is made on the wrong device or in the wrong dtype."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fake_cuda import CUDA, OnCuda, fake_cuda, without_weights
from shipped import few, program_of, write_bundles
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor

from nodegraph.api import Options, find_graph, make_engine, registry
from nodegraph.events import Completed
from nodegraph.types import Precision
from nodes.models.handle import Model
from nodes.training import samples

pytestmark = [
    pytest.mark.skipif(torch.cuda.is_available(), reason="there is a cuda device on this machine"),
    pytest.mark.filterwarnings("ignore:Accessing the data pointer of FakeTensor"),
    pytest.mark.filterwarnings("ignore:cov"),
]
NAMES = sorted(registry().graphs)
HALF = [name for name in NAMES if name.startswith(("glide/", "unclip/", "guidance/", "variations/"))]


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundles(tmp_path_factory.mktemp("models"))


@pytest.fixture(autouse=True)
def short_and_without_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models that are not here have no weights, and the samples of a training two steps."""
    weights = Model.weights

    def given(model: Model[Any, Any], dtype: torch.dtype | None = None) -> dict[str, Tensor]:
        return weights(model, dtype) if model.files and not model.absent else without_weights(model._skeleton)

    monkeypatch.setattr(Model, "weights", given)
    monkeypatch.setattr(samples, "STEPS", 2)


def ran(
    name: str, inputs: dict[str, Any], out: Path, bundles: Path, precision: Precision = "float32"
) -> tuple[OnCuda, dict[str, Any]]:
    """What a graph gives on the device that is not there."""
    options = Options(out=out, cached=False, readable=(bundles,), precision=precision)
    engine = make_engine(registry(), find_graph(name, registry()), options)
    there = replace(engine, context=replace(engine.context, device="cuda"))
    with fake_cuda() as mode:
        *_, last = there.run(program_of(name, inputs, (bundles,)))
    assert isinstance(last, Completed)
    return mode, dict(last.outputs)


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_graph_is_of_one_device(name: str, small: Path, tmp_path: Path) -> None:
    mode, _ = ran(name, few(name, small), tmp_path, small)
    assert mode.followed
