"""What the device that is not there refuses, and what it gives back."""

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import device_toys
import pytest
import torch
from fake_cuda import CUDA, fake_cuda
from torch import Tensor, nn

from nodegraph.base.diagnostics import NodeFailed
from nodegraph.base.ownership import arrays
from nodegraph.base.paths import Sandbox
from nodegraph.base.tensors import on_device
from nodegraph.language.compile import compile_graph
from nodegraph.language.inputs import Request
from nodegraph.language.source import SourceText
from nodegraph.library.registry import from_modules
from nodegraph.runtime.context import RunContext
from nodegraph.runtime.engine import Engine
from nodegraph.runtime.events import Completed
from nodes.diffusion.noise import Noise
from nodes.measures.pca import Pca
from nodes.models.embeddings import ClipTokens, Embedding
from nodes.wires.conditions import Condition

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a cuda device here")


def test_devices_are_not_mixed() -> None:
    with fake_cuda():
        there = torch.ones(2, 3, device="cuda")
        assert there.device == CUDA
        with pytest.raises(RuntimeError, match="same device"):
            there + torch.ones(2, 3)
        with pytest.raises(RuntimeError, match="same device"):
            nn.Linear(3, 3)(there)
        assert (
            there + torch.ones(())
        ).device == CUDA  # a number on the CPU is one for every device


def test_dtypes_are_not_mixed() -> None:
    with fake_cuda():
        half = nn.Linear(3, 3).half().to("cuda")
        assert half(torch.ones(2, 3, device="cuda").half()).dtype is torch.float16
        with pytest.raises((TypeError, RuntimeError), match=r"mixes|dtype"):
            half(torch.ones(2, 3, device="cuda"))
        with pytest.raises(TypeError, match="mixes"):
            nn.LayerNorm(3).to("cuda")(torch.ones(2, 3, device="cuda").bfloat16())


def test_what_comes_home_is_zeros_and_real() -> None:
    with fake_cuda():
        there = torch.ones(2, 3, device="cuda")
        assert there.cpu().numpy().tolist() == [[0, 0, 0], [0, 0, 0]]
        assert float(there.sum()) == 1
        assert there[there > 0].shape == (6,)
        with pytest.raises((TypeError, RuntimeError)):
            there.numpy()
        assert float(torch.full((3,), 2.0).sum()) == 6


def test_gradients_have_the_form_of_what_they_are_taken_in() -> None:
    with fake_cuda(), torch.enable_grad():
        layer, x = nn.Linear(3, 2).to("cuda"), torch.ones(4, 3, device="cuda")
        layer(x).sum().backward()
        assert layer.weight.grad is not None
        assert (layer.weight.grad.shape, layer.weight.grad.device) == ((2, 3), CUDA)
        with pytest.raises(RuntimeError, match="does not require grad"):
            torch.autograd.grad(x.sum(), x)


def test_all_is_as_it_was_afterwards() -> None:
    with fake_cuda():
        pass
    x = torch.ones(2, requires_grad=True)
    assert torch.autograd.grad((2 * x).sum(), x)[0].tolist() == [2, 2]


def given(graph: str, folder: Path) -> Tensor:
    """What a graph of the toys gives on cuda for a tensor [2, 3] that is handed to it on the CPU."""
    text = f"graph: 1\ninputs:\n  x: {{type: Signal}}\nnodes:\n{graph}outputs:\n  z: $z\n"
    registry = from_modules([device_toys])
    program = compile_graph(
        SourceText("toys.yaml", text), registry, Request({"x": torch.ones(2, 3)})
    ).checked()
    engine = Engine(registry, RunContext(Sandbox((), folder), device="cuda"))
    with fake_cuda():
        *_, last = engine.run(program)
    assert isinstance(last, Completed)
    return last.outputs["z"]


def test_what_stands_on_a_port_is_on_the_device_of_the_run(tmp_path: Path) -> None:
    assert given("  z: {type: careful, x: $x, y: $x}\n", tmp_path).device == CUDA
    at_home = "  y: {type: at_home, x: $x}\n  z: {type: careful, x: $x, y: $y}\n"
    assert given(at_home, tmp_path).device == CUDA


@pytest.mark.parametrize(
    ("toy", "told"), [("beside", "same device"), ("in_half", r"mixes|same dtype")]
)
def test_a_node_that_does_not_mind_the_device_is_refused(
    toy: str, told: str, tmp_path: Path
) -> None:
    with pytest.raises(NodeFailed, match=told):
        given(f"  z: {{type: {toy}, x: $x}}\n", tmp_path)


ONE = torch.ones(1, 2)
VALUES = [
    ONE,
    [ONE, ONE],
    Embedding(ONE, "s"),
    ClipTokens(ONE[None], ONE > 0, "s"),
    Noise(ONE, 3, "cosine", 1000),
    Pca(ONE, ONE, ONE, ONE, ONE, "s"),
    Condition("text", ONE, ONE, mask=ONE > 0, made_by="m"),
    Condition("label", labels=ONE.long()),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_with_all_that_is_in_it_goes_to_a_device(value: Any) -> None:
    with fake_cuda():
        moved = on_device(value, "cuda")
        devices = {tensor.device for tensor in arrays(moved)}
        assert isinstance(moved, type(value))
        assert devices == {CUDA}
    if is_dataclass(value):
        names = [f.name for f in fields(value) if isinstance(getattr(value, f.name), str | int)]
        assert names
        assert all(getattr(moved, name) == getattr(value, name) for name in names)


def test_what_knows_no_device_stays() -> None:
    for value in ("text", 3, None, {"a": ONE}, object()):
        assert on_device(value, "meta") is value
