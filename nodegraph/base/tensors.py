"""Where the engine meets torch, but for abstract runs (`meta`): what tensors are, and what went wrong with them."""

from dataclasses import fields, is_dataclass, replace
from types import TracebackType
from typing import Any, cast

import torch
from torch import Tensor, nn

from nodegraph.base.contents import Unframed, checksum
from nodegraph.base.diagnostics import text_of


class NeedsData(Exception):
    """An abstract run met an operation whose result depends on values, not on shapes."""


def needs_data(error: BaseException) -> str | None:
    """Why an abstract run could not go on, where only values were missing; None for a fault of shapes or dtypes."""
    text = text_of(error).partition("\n")[0]
    if isinstance(error, NeedsData):
        return text
    limits = ("meta tensor", "meta device", "device meta", "unallocated storage")
    if isinstance(error, NotImplementedError) or any(limit in text.lower() for limit in limits):
        return f"it cannot run on shapes: {text.partition('. ')[0]}"
    return None


def on_device(value: Any, device: str) -> Any:
    """A tensor, a dataclass with a method `to(device)`, or those of a list, on a device; anything else as it is."""
    if isinstance(value, list):
        return [on_device(item, device) for item in cast("list[Any]", value)]
    held: Any = value
    moves = isinstance(held, Tensor) or (is_dataclass(held) and hasattr(held, "to"))
    return cast(Any, held).to(device) if moves else held


def rows_of(value: Any) -> int | None:
    """How many rows a batch has: a tensor [R, …], what says its `rows`, a dataclass of tensors, or a list of those, which
    agree; None for what has none."""
    if isinstance(value, Tensor):
        return len(value) if value.dim() else None
    if isinstance(getattr(value, "rows", None), int):
        return value.rows
    parts = cast("list[Any]", value) if isinstance(value, list) else list(_parts(value).values())
    counts = {rows_of(part) for part in parts}
    return counts.pop() if len(counts) == 1 else None


def part_of(value: Any, part: int, parts: int) -> Any:
    """One of equal parts of the rows of a batch; of a list of batches each, and those of one row stand for all.

    Raises ValueError for rows that cannot be parted so, TypeError for what has none.
    """
    if isinstance(value, Tensor):
        if len(value) % parts:
            raise ValueError(f"{len(value)} rows have no {parts} equal parts")
        rows = len(value) // parts
        return value[part * rows : (part + 1) * rows].clone()
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return [item if rows_of(item) == 1 else part_of(item, part, parts) for item in items]
    return replace(value, **{n: part_of(t, part, parts) for n, t in _tensors(value).items()})


def of_rows(values: list[Any]) -> Any:
    """Batches of one number of rows as one, one below the other; of lists of them each.

    Raises TypeError for what has no rows, ValueError for what differs in more than its rows, or in their number.
    """
    first = values[0]
    if isinstance(first, list):
        return [of_rows(list(items)) for items in zip(*values, strict=True)]
    if len({rows_of(value) for value in values}) != 1:
        raise ValueError("batches that differ in their rows")
    if isinstance(first, Tensor):
        return torch.cat(values)
    parts = _tensors(first)
    rest = [f.name for f in fields(first) if f.name not in parts]
    if any(getattr(v, name) != getattr(first, name) for v in values for name in rest):
        raise ValueError(f"{type(first).__name__}s that differ in more than their rows")
    return replace(first, **{n: torch.cat([getattr(v, n) for v in values]) for n in parts})


def _tensors(value: Any) -> dict[str, Tensor]:
    """The tensors of a dataclass of tensors, by name. Raises TypeError for anything else."""
    parts = _parts(value)
    if not parts:
        raise TypeError(f"a {type(value).__name__} has no rows")
    return parts


def _parts(value: Any) -> dict[str, Tensor]:
    """The tensors of a dataclass of tensors, by name; none of anything else."""
    holds = is_dataclass(value) and hasattr(value, "tensors")
    return cast(Any, value).tensors() if holds else {}


def shape_of(value: Any) -> Any:
    """All that there is to a tensor on the meta device, or to a list of those; None for anything else."""
    if type(value) is Tensor and value.is_meta and not value.requires_grad:
        return (str(value.dtype), tuple(value.shape), value.stride())
    if isinstance(value, list):
        forms = [shape_of(one) for one in cast("list[Any]", value)]
        return None if None in forms else forms
    return None


def shown(tensor: Tensor) -> str:
    """`float32[2, 3, 64, 64]`."""
    return f"{str(tensor.dtype).removeprefix('torch.')}[{', '.join(map(str, tensor.shape))}]"


def spanned(tensor: Tensor) -> str:
    """`float32[2, 3, 64, 64] in [-1, 1]`, with the least and the largest of its values where it has any."""
    if tensor.is_meta or not tensor.numel() or tensor.is_complex() or tensor.is_sparse:
        return shown(tensor)
    low, high = float(tensor.min()), float(tensor.max())
    return f"{shown(tensor)} in [{low:.3g}, {high:.3g}]"


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


def cards() -> int:
    """How many cuda devices there are."""
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def every_device() -> list[str]:
    """Every device that is worth a worker of its own: all cards by their numbers, else mps, else the CPU."""
    if count := cards():
        return [f"cuda:{number}" for number in range(count)]
    return ["mps"] if torch.backends.mps.is_available() else ["cpu"]


def choose_device(wanted: str) -> str:
    """The device of a run: `auto` is cuda, mps or cpu, the first that there is. Raises ValueError for one that is not.

    On a card float32 is then float32 in convolutions too: torch's default is TF32, whose 10 bits show in pictures.
    """
    if count := cards():
        torch.backends.cudnn.allow_tf32 = False
    numbered = [f"cuda:{number}" for number in range(count)]
    here = ["cuda"] * bool(count) + ["mps"] * torch.backends.mps.is_available() + ["cpu"]
    if wanted == "auto":
        return here[0]
    if wanted not in (*here, *numbered, *(f"{kind}:0" for kind in here)):
        raise ValueError(
            f"there is no device '{wanted}' here; there are: {', '.join(here + numbered)}"
        )
    return wanted
