"""Every shipped graph on a cuda device that is not there: no tensor is made on the wrong device or in the wrong dtype."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fake_cuda import OnCuda, fake_cuda, without_weights
from shipped import few, program_of, write_bundles
from torch import Tensor

from nodegraph.library.port import Precision
from nodegraph.options import Options
from nodegraph.runtime.events import Completed
from nodegraph.runtime.recorded import Recorded
from nodegraph.session import Session, find_graph, registry
from nodes.models.handle import Model
from nodes.training.objectives import diffusion

pytestmark = [
    pytest.mark.skipif(torch.cuda.is_available(), reason="there is a cuda device on this machine"),
    pytest.mark.filterwarnings("ignore:Accessing the data pointer of FakeTensor"),
    pytest.mark.filterwarnings("ignore:cov"),
]
OF_TABLES = {"evaluate/parts/best_row", "evaluate/parts/paired_row"}
"""Graphs in which there is no tensor."""
NAMES = sorted({*registry().graphs} - OF_TABLES)
HALF = [
    "glide/inpaint",
    "glide/clip_guided",
    "unclip/text_to_image",
    "unclip/text_to_image_autoregressive",
    "guidance/structure",
]
SHIPPED = {"glide/text_to_image": 128, "unclip/text_to_image": 256}


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundles(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def known() -> dict[Any, Any]:
    return {}


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch, known: dict[Any, Any]) -> None:
    """Models that are not here have no weights, equal calls are made once, and samples of a training take two steps."""
    weights, call = Model.weights, Model.call

    def given(model: Model[Any, Any], dtype: torch.dtype | None = None) -> dict[str, Tensor]:
        return (
            weights(model, dtype)
            if model.files and not model.absent
            else without_weights(model._skeleton)
        )

    def once(model: Model[Any, Any], x_t: Tensor, t: Tensor, **conditions: Tensor) -> Tensor:
        tensors = {"x_t": x_t, "t": t, **conditions}
        forms = [(n, v.shape, v.dtype, v.device) for n, v in sorted(tensors.items())]
        key = (model.identity, model.device, model.place.dtype, *forms)
        if key not in known:
            made = call(model, x_t, t, **conditions)
            known[key] = (made.shape, made.dtype, made.device)
        shape, dtype, device = known[key]
        return torch.empty(shape, dtype=dtype, device=device)

    monkeypatch.setattr(Model, "weights", given)
    monkeypatch.setattr(Model, "call", once)
    monkeypatch.setattr(diffusion, "STEPS", 2)


def ran(
    name: str, inputs: dict[str, Any], out: Path, bundles: Path, precision: Precision = "float32"
) -> tuple[OnCuda, dict[str, Any]]:
    """What a graph gives on the device that is not there."""
    options = Options(out=out, cached=False, readable=(bundles,), precision=precision)
    engine = Session().engine(Recorded(find_graph(name, registry())), options)
    there = replace(engine, context=replace(engine.context, device="cuda"))
    with fake_cuda() as mode:
        *_, last = there.run(program_of(name, inputs, (bundles,)))
    assert isinstance(last, Completed)
    return mode, dict(last.outputs)


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_graph_is_of_one_device(name: str, small: Path, tmp_path: Path) -> None:
    mode, _ = ran(name, few(name, small), tmp_path, small)
    assert mode.followed


@pytest.mark.parametrize("name", HALF)
def test_every_network_gets_its_own_precision(name: str, small: Path, tmp_path: Path) -> None:
    mode, _ = ran(name, few(name, small), tmp_path, small, "bfloat16")
    assert mode.followed


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_networks_in_float16(name: str, small: Path, tmp_path: Path) -> None:
    _, outputs = ran(name, {}, tmp_path, small, "float16")
    assert outputs["image"].device.type == "cuda"
    assert outputs["image"].shape == (1, 3, SHIPPED[name], SHIPPED[name])
    assert outputs["image"].dtype is torch.float32
