"""What a plan predicts of a whole graph, against what its run then takes: operations within 5 %, memory within 20 %."""

import json
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry
from workplace import Workplace

from nodegraph.language.compile import compile_graph
from nodegraph.language.inputs import Request
from nodegraph.options import Options
from nodegraph.runtime.plan import make_plan
from nodegraph.runtime.recorded import Recorded
from nodegraph.session import Session, find_graph, registry


class LiveBytes(TorchDispatchMode):
    """Bytes of the tensors that operations have made and that still live, by the address of their memory."""

    def __init__(self) -> None:
        super().__init__()
        self.live: dict[int, int] = {}
        self.now = self.peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for leaf in made if isinstance(made, list | tuple) else [made]:
            if isinstance(leaf, Tensor) and leaf.device.type == "cpu":
                self._count(leaf.untyped_storage())
        return made

    def _count(self, storage: torch.UntypedStorage) -> None:
        address = storage.data_ptr()
        if address and address not in self.live:
            self.live[address] = storage.nbytes()
            self.now += storage.nbytes()
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self._free, address)

    def _free(self, address: int) -> None:
        self.now -= self.live.pop(address, 0)


class Operations(TorchDispatchMode):
    """Floating-point operations by torch's formulas. Its own counter refuses the gradients that guides take."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func.overloadpacket)
        self.count += formula(*args, **(kwargs or {}), out_val=made) if formula else 0
        return made


def compare(graph: str, inputs: dict[str, Any], folder: Path) -> None:
    source = find_graph(graph, registry())
    program = compile_graph(source, registry(), Request(inputs)).checked()
    engine = Session().engine(Recorded(source), Options(out=folder, cached=False))
    plan = make_plan(program, engine)
    assert plan.shapes.diagnostics == ()
    with LiveBytes() as memory, Operations() as operations:
        for _ in engine.run(program):  # a list would keep every preview
            pass
    assert plan.flops == pytest.approx(operations.count, rel=0.05)
    assert plan.peak_memory == pytest.approx(memory.peak, rel=0.2)


def test_text_to_image(tmp_path: Path) -> None:
    compare("glide/text_to_image", {"steps": "2", "count": 3}, tmp_path)


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Small networks of the kinds that guide and are guided, in OpenAI's layouts."""
    monkeypatch.setenv("NODEGRAPH_MODELS", str(tmp_path / "models"))
    data = Path(__file__).parents[1] / "golden" / "data"
    adm = json.loads((data / "adm_sampling_tiny.json").read_text(encoding="utf-8"))["runs"]["ddpm"]
    glide = json.loads((data / "glide_sampling_tiny.json").read_text(encoding="utf-8"))
    clip = glide["pipelines"]["clip"]
    parts = {
        "diffusion": ("openai_adm", adm["model_options"]),
        "classifier": ("openai_adm_classifier", adm["classifier_options"]),
        "base": ("openai_glide", clip["base_options"]),
        "clip": ("openai_glide_clip", clip["clip_config"]),
    }
    Workplace(tmp_path).publish("tiny/all", parts)
    return {"models": "tiny/all", "steps": "3", "count": 4}


def test_guidance_by_a_classifier(tiny: dict[str, Any], tmp_path: Path) -> None:
    """A backward pass of the classifier at every step."""
    named = {"label": "5", "told": "5"}
    compare("guidance/classifier", {**tiny, **named}, tmp_path)


def test_guidance_by_clip(tiny: dict[str, Any], tmp_path: Path) -> None:
    compare("guidance/clip_text", tiny, tmp_path)
