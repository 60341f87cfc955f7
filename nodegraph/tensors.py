"""The engine's only meeting with torch: abstract runs on the meta device, their costs, and what went wrong in them."""

import weakref
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, is_dataclass
from types import TracebackType
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry
from torch.utils.weak import WeakIdKeyDictionary

from nodegraph.framing import Unframed
from nodegraph.ownership import checksum


class NeedsData(Exception):
    """An abstract run met an operation whose result depends on values, not on shapes."""


def needs_data(error: BaseException) -> str | None:
    """Why an abstract run could not go on, where only values were missing; None for a fault of shapes or dtypes."""
    text = str(error).partition("\n")[0]
    if isinstance(error, NeedsData):
        return text
    limits = ("meta tensor", "meta device", "device meta", "unallocated storage")
    if isinstance(error, NotImplementedError) or any(limit in text.lower() for limit in limits):
        return f"it cannot run on shapes: {text}"
    return None


def on_shapes(value: Any) -> Any:
    """A tensor, or those of a list, by their shapes alone; anything else as it is."""
    if isinstance(value, Tensor):
        return value.to("meta")
    if isinstance(value, list | tuple):
        several = cast("list[Any] | tuple[Any, ...]", value)
        return type(several)(on_shapes(item) for item in several)
    return value


def on_device(value: Any, device: str) -> Any:
    """A tensor, a dataclass with a method `to(device)`, or those of a list, on a device; anything else as it is."""
    if isinstance(value, list):
        return [on_device(item, device) for item in cast("list[Any]", value)]
    held: Any = value
    moves = isinstance(held, Tensor) or (is_dataclass(held) and hasattr(held, "to"))
    return cast(Any, held).to(device) if moves else held


_READS_VALUES = (
    "aten::_local_scalar_dense",
    "aten::nonzero",
    "aten::equal",
    "aten::is_nonzero",
    "aten::unique",
)
_SAME_DTYPE = ("aten::mm", "aten::bmm", "aten::addmm", "aten::convolution", "aten::linear")


class ShapesOnly(TorchDispatchMode):
    """Runs tensor code on shapes: what meets a meta tensor is on meta too, and copies stay there.

    Reading a value raises NeedsData, mixed dtypes raise TypeError.
    """

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name
        tensors = [leaf for a in args for leaf in _leaves(a)]
        if any(t.is_meta for t in tensors):
            if not all(t.is_meta for t in tensors) and not func._schema.is_mutable:
                args = on_shapes(tuple(args))
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


def spanned(tensor: Tensor) -> str:
    """`float32[2, 3, 64, 64] in [-1, 1]`, with the least and the largest of its values where it has any."""
    if tensor.is_meta or not tensor.numel() or tensor.is_complex() or tensor.is_sparse:
        return shown(tensor)
    low, high = float(tensor.min()), float(tensor.max())
    return f"{shown(tensor)} in [{low:.3g}, {high:.3g}]"


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


class Operations(TorchDispatchMode):
    """Floating-point operations that are made inside, also by backward passes.

    torch's own counting mode follows modules too, and so refuses gradients with respect to what a module is given.
    """

    def __init__(self) -> None:
        cast(Any, super()).__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func.overloadpacket)
        if formula is not None:
            self.count += formula(*args, **(kwargs or {}), out_val=made)
        return made


def _leaves(made: Any) -> list[Tensor]:
    """The tensors of an operation's result."""
    several = cast("list[Any]", made) if isinstance(made, list | tuple) else [made]
    return [leaf for leaf in several if isinstance(leaf, Tensor)]


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
        with torch.no_grad(), meter.memory, ShapesOnly(), meter.counter:
            yield meter.cost
    finally:
        _meter.reset(before)


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


def framing(tensor: Tensor) -> tuple[tuple[Any, ...], memoryview]:
    """What there is to a tensor: its kind, dtype, shape and device, and its content as bytes. Raises Unframed."""
    if type(tensor) not in (Tensor, nn.Parameter) or tensor.layout is not torch.strided:
        raise Unframed(f"a {type(tensor).__name__} of {tensor.layout} has no bytes that are known")
    if tensor.is_quantized or tensor.is_meta:
        raise Unframed("a tensor without values, or with a scale of its own")
    whole = tensor.detach().resolve_conj().resolve_neg().cpu().contiguous()
    whole = whole.as_strided((tensor.numel(),), (1,))  # of few elements any strides are contiguous
    facts = (type(tensor).__name__, str(tensor.dtype), tuple(tensor.shape), str(tensor.device))
    return facts, memoryview(cast(Any, whole.view(torch.uint8).numpy()))


def state(tensor: Tensor) -> tuple[Any, ...]:
    """What an operation in place would change: the tensor's form, its version, and a checksum of what the CPU can write.

    The version counts operations in place; it does not see what is written by way of `.numpy()` or `.data`.
    """
    form = (id(tensor), tensor.shape, tensor.dtype, tensor.layout, tensor.requires_grad)
    version = None if tensor.is_inference() else tensor._version
    if tensor.layout is not torch.strided or tensor.device.type != "cpu":
        return (*form, version)
    storage = tensor.untyped_storage()
    content = torch.empty(0, dtype=torch.uint8).set_(cast(Any, storage))
    return (*form, version, tensor.stride(), tensor.data_ptr(), checksum(content.numpy()))


def memory_budgets(device: str) -> dict[str, int]:
    """Bytes that loaded models may take, by kind of device: nine tenths of the memory of a cuda device."""
    if not device.startswith("cuda"):
        return {}
    properties = cast(Any, torch.cuda).get_device_properties(device)
    return {"cuda": properties.total_memory * 9 // 10}


def choose_device(wanted: str) -> str:
    """The device of a run: `auto` is cuda, mps or cpu, the first that there is. Raises ValueError for one that is not.

    On a card float32 is then float32 in convolutions too: torch's default is TF32, whose 10 bits show in pictures.
    """
    cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if cards:
        torch.backends.cudnn.allow_tf32 = False
    numbered = [f"cuda:{number}" for number in range(cards)]
    here = ["cuda"] * bool(cards) + ["mps"] * torch.backends.mps.is_available() + ["cpu"]
    if wanted == "auto":
        return here[0]
    if wanted not in (*here, *numbered, *(f"{kind}:0" for kind in here)):
        raise ValueError(
            f"there is no device '{wanted}' here; there are: {', '.join(here + numbered)}"
        )
    return wanted
