"""What a plan predicts of a whole graph, against what its run then takes: operations within 5 %, memory within 20 %."""

import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from nodegraph.api import Options, find_graph, make_engine, registry
from nodegraph.compile import compile_graph
from nodegraph.inputs import Request
from nodegraph.plan import make_plan


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


@pytest.mark.parametrize(
    ("graph", "inputs"),
    [
        ("glide/text_to_image", {"steps": "4"}),
        ("glide/text_to_image", {"steps": "2", "count": 3}),
    ],
)
def test_a_plan_is_kept(graph: str, inputs: dict[str, Any], tmp_path: Path) -> None:
    source = find_graph(graph, registry())
    program = compile_graph(source, registry(), Request(inputs)).checked()
    engine = make_engine(registry(), source, Options(out=tmp_path, cached=False))
    plan = make_plan(program, engine)
    with LiveBytes() as memory, FlopCounterMode(display=False) as operations:
        for _ in engine.run(program):  # a list would keep every preview
            pass
    assert plan.flops == pytest.approx(operations.get_total_flops(), rel=0.05)
    assert plan.peak_memory == pytest.approx(memory.peak, rel=0.2)
