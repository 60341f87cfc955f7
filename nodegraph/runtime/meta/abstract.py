"""Runs on shapes, and what they cost."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import torch
from torch import Tensor

from nodegraph.base.tensors import shown
from nodegraph.runtime.meta.modes import AbstractRun, Allocations, FusedAttention, Operations


@dataclass(frozen=True, slots=True)
class Cost:
    """What a call costs: floating-point operations; bytes of tensors that it makes, at their peak and in the end."""

    flops: int
    peak: int
    kept: int


@dataclass(slots=True)
class _Meter:
    """What an abstract run has cost so far; `recalled`: operations of calls that were not made again."""

    counter: Operations
    memory: Allocations
    recalled: int = 0

    def cost(self) -> Cost:
        return Cost(self.counter.count + self.recalled, self.memory.peak, self.memory.now)


_meter: ContextVar[_Meter | None] = ContextVar("meter", default=None)


@contextmanager
def abstract_run() -> Generator[Callable[[], Cost]]:
    """Run what is inside on shapes, without gradients; the function that it gives tells the cost afterwards."""
    meter = _Meter(Operations(), Allocations("meta"))
    before = _meter.set(meter)
    try:
        with torch.no_grad(), AbstractRun(meter.memory, meter.counter), FusedAttention():
            yield meter.cost
    finally:
        _meter.reset(before)


@contextmanager
def uncounted() -> Generator[None]:
    """What is made inside costs nothing: a run on devices finds it there."""
    meter = _meter.get()
    if meter is None:
        yield
        return
    with meter.memory.paused():
        yield


@dataclass(frozen=True, slots=True)
class Recall:
    """A function of meta tensors that is called once for arguments of equal shapes; its cost counts each time."""

    function: Callable[..., Tensor]
    _known: dict[tuple[str, ...], "_Made"] = field(default_factory=dict[tuple[str, ...], "_Made"])

    def __call__(self, *args: Tensor, **kwargs: Tensor) -> Tensor:
        """What the function gives; outside an abstract run it is simply called."""
        meter = _meter.get()
        if meter is None:
            return self.function(*args, **kwargs)
        key = (*map(shown, args), *(f"{name}: {shown(kwargs[name])}" for name in sorted(kwargs)))
        if key not in self._known:
            result, self._known[key] = _measured(meter, lambda: self.function(*args, **kwargs))
            return result
        made = self._known[key]
        meter.recalled += made.flops
        meter.memory.peak = max(meter.memory.peak, meter.memory.now + made.peak)
        return torch.empty(made.shape, dtype=made.dtype, device="meta")


@dataclass(frozen=True, slots=True)
class _Made:
    """What is remembered of a call: its result without a storage, and what the call alone costs."""

    shape: torch.Size
    dtype: torch.dtype
    flops: int
    peak: int


def _measured(meter: _Meter, call: Callable[[], Tensor]) -> tuple[Tensor, _Made]:
    before, memory = meter.cost(), meter.memory
    memory.peak = memory.now
    result = call()
    flops, peak = meter.cost().flops - before.flops, memory.peak - before.kept
    memory.peak = max(memory.peak, before.peak)
    return result, _Made(result.shape, result.dtype, flops, peak)
