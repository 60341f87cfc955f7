"""The engine's only meeting with torch: abstract runs on the meta device, their costs, and what went wrong in them."""

import weakref
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode
from torch.utils.weak import WeakIdKeyDictionary


class NeedsData(Exception):
    """An abstract run met an operation whose result depends on values, not on shapes."""


_READS_VALUES = (
    "aten::_local_scalar_dense",
    "aten::nonzero",
    "aten::equal",
    "aten::is_nonzero",
    "aten::unique",
)
_SAME_DTYPE = ("aten::mm", "aten::bmm", "aten::addmm", "aten::convolution", "aten::linear")


class ShapesOnly(TorchDispatchMode):
    """Runs tensor code on shapes: copies stay on meta, reading a value raises NeedsData, mixed dtypes raise TypeError."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name
        tensors = [a for a in args if isinstance(a, Tensor)]
        if any(t.is_meta for t in tensors):
            if name.startswith(_READS_VALUES) or (name == "aten::index" and _boolean_index(args)):
                raise NeedsData(f"{name} reads the values of a tensor")
            if name == "aten::_to_copy":
                kwargs = dict(kwargs or {}, device=torch.device("meta"))
            if name in _SAME_DTYPE and len({t.dtype for t in tensors}) > 1:
                raise TypeError(
                    f"{name} {' × '.join(shown(t) for t in tensors)}: the dtypes differ"
                )
        return func(*args, **(kwargs or {}))


def _boolean_index(args: Any) -> bool:
    return any(isinstance(i, Tensor) and i.dtype is torch.bool for i in args[1] if i is not None)


def shown(tensor: Tensor) -> str:
    """`float32[2, 3, 64, 64]`."""
    return f"{str(tensor.dtype).removeprefix('torch.')}[{', '.join(map(str, tensor.shape))}]"


@dataclass(frozen=True, slots=True)
class Cost:
    """What a call costs: floating-point operations; bytes of tensors that it makes, at their peak and in the end."""

    flops: int
    peak: int
    kept: int


class Allocations(TorchDispatchMode):
    """Bytes of the storages that are made inside, while they live: `now`, and `peak`. Views and parameters cost nothing."""

    def __init__(self, device: str) -> None:
        cast(Any, super()).__init__()
        self.device = device
        self.now = 0
        self.peak = 0
        self._seen: Any = WeakIdKeyDictionary()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self._known(args)
        made = func(*args, **(kwargs or {}))
        for leaf in _leaves(made):
            if leaf.device.type == self.device:
                self._count(leaf.untyped_storage())
        return made

    def _known(self, args: Any) -> None:
        """What comes in from outside is not made here, though a view of it may come out."""
        for leaf in args:
            if isinstance(leaf, Tensor):
                self._seen.setdefault(leaf.untyped_storage(), None)

    def _count(self, storage: Any) -> None:
        if storage not in self._seen:
            size = storage.nbytes()
            self._seen[storage] = None
            self.now += size
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self._freed, size)

    def _freed(self, size: int) -> None:
        self.now -= size


def _leaves(made: Any) -> list[Tensor]:
    """The tensors of an operation's result."""
    several = cast("list[Any]", made) if isinstance(made, list | tuple) else [made]
    return [leaf for leaf in several if isinstance(leaf, Tensor)]


@contextmanager
def abstract_run() -> Generator[Callable[[], Cost]]:
    """Run what is inside on shapes, without gradients; the function that it gives tells the cost afterwards."""
    counter, memory = FlopCounterMode(display=False), Allocations("meta")
    with torch.no_grad(), memory, ShapesOnly(), counter:
        yield lambda: Cost(counter.get_total_flops(), memory.peak, memory.now)


def module_path(trace: TracebackType | None) -> str:
    """The path of the innermost module whose `forward` was running: `inputs.3.1.qkv`."""
    path: list[str] = []
    outer: nn.Module | None = None
    while trace is not None:
        frame = trace.tb_frame
        module = frame.f_locals.get("self") if frame.f_code.co_name == "forward" else None
        if isinstance(module, nn.Module):
            path.append(_name_in(outer, module))
            outer = module
        trace = trace.tb_next
    return ".".join(part for part in path if part)


def _name_in(outer: nn.Module | None, inner: nn.Module) -> str:
    if outer is None:
        return ""
    modules = cast(Any, outer).named_modules()
    names: list[str] = [name for name, module in modules if module is inner]
    return names[0] if names else type(inner).__name__


def describe(value: Any) -> str:
    """One line about any value: tensors by shape, containers by their contents."""
    if isinstance(value, Tensor):
        return f"{shown(value)} on {value.device}"
    if isinstance(value, list | tuple):
        items = list(cast("tuple[Any, ...]", value))
        return (
            "["
            + ", ".join(describe(item) for item in items[:4])
            + (", …]" if len(items) > 4 else "]")
        )
    text = repr(value)
    return text if len(text) <= 80 else type(value).__name__


def choose_device(wanted: str) -> str:
    """The device of a run: `auto` is cuda, mps or cpu, the first that there is. Raises ValueError for one that is not."""
    if wanted == "auto":
        return (
            "cuda"
            if torch.cuda.is_available()
            else "mps"
            if torch.backends.mps.is_available()
            else "cpu"
        )
    kind = wanted.partition(":")[0]
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if not there.get(kind):
        names = ", ".join(name for name, found in there.items() if found)
        raise ValueError(f"there is no device '{wanted}' here; there are: {names}")
    return wanted
