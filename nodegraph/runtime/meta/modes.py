"""Dispatch modes: tensor code on shapes, the bytes that it makes, and its floating-point operations."""

import weakref
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from nodegraph.base.tensors import NeedsData, shown
from nodegraph.runtime.meta.layout import META, Unknown
from nodegraph.runtime.meta.operations import Facts, facts_of, leaves
from nodegraph.runtime.meta.rules import by_rule


class _Mode(TorchDispatchMode):
    """A mode that torch's compiler is not asked about, since asking loads it."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False


class ShapesOnly(_Mode):
    """Runs tensor code on shapes: what meets a meta tensor is on meta too, and copies stay there.

    Reading a value raises NeedsData, mixed dtypes raise TypeError.
    """

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _on_meta(facts_of(func), func, args, kwargs or {}, None)


def _on_meta(facts: Facts, func: Any, args: Any, kwargs: Any, memory: "Allocations | None") -> Any:
    """What an operation gives where it meets the meta device; `memory` counts what it makes, and what comes there for it."""
    meta, data = _kinds(args)
    if meta:
        if data and not facts.mutable:
            args = [_moved(arg, memory) for arg in args]
        kwargs = _checked(facts, args, kwargs)
        if memory:
            memory.known(args)
    by_shape = not (data and facts.mutable) if meta else kwargs.get("device") == META and not data
    made = _by_shape(facts, func, args, kwargs) if by_shape else func(*args, **kwargs)
    if memory:
        memory.count(made)
    return made


def _moved(value: Any, memory: "Allocations | None") -> Any:
    """A tensor, or those of several, on the meta device, where `memory` counts them."""
    if isinstance(value, Tensor):
        if value.is_meta:
            return value
        made = value.to(META)
        if memory:
            memory.count(made)
        return made
    if isinstance(value, list | tuple):
        several = list(cast("list[Any]", value))
        return [_moved(one, memory) for one in several] if leaves(several) else several
    return value


def _kinds(args: Any) -> tuple[bool, bool]:
    """Whether there are tensors on the meta device among arguments, and whether there are others."""
    meta = data = False
    for arg in args:
        if isinstance(arg, Tensor):
            meta, data = meta or arg.is_meta, data or not arg.is_meta
        elif isinstance(arg, list | tuple):
            for leaf in leaves(arg):
                meta, data = meta or leaf.is_meta, data or not leaf.is_meta
    return meta, data


def _checked(facts: Facts, args: Any, kwargs: Any) -> Any:
    """The keywords that an operation is to get on shapes. Raises NeedsData or TypeError."""
    if facts.reads_values or (facts.name == "aten::index" and _boolean_index(args)):
        raise NeedsData(f"{facts.name} reads the values of a tensor")
    if facts.same_dtype:
        tensors = [leaf for leaf in args if isinstance(leaf, Tensor)]
        if any(t.dtype is not tensors[0].dtype for t in tensors):
            operands = " × ".join(shown(t) for t in tensors)
            raise TypeError(f"{facts.name} {operands}: the dtypes differ")
    return dict(kwargs, device=META) if facts.name == "aten::_to_copy" else kwargs


def _by_shape(facts: Facts, func: Any, args: Any, kwargs: Any) -> Any:
    """What an operation gives on shapes: by its rule, or by torch's own kernel."""
    if facts.rule is not None:
        try:
            return by_rule(facts.rule, args, kwargs)
        except Unknown:
            pass
    return func(*args, **kwargs)


class _Uninitialised(TorchFunctionMode):
    """Initialisers of torch.nn leave their tensors as they are."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__module__", "") == nn.init.__name__:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))


class FusedAttention(TorchFunctionMode):
    """Attention on shapes is the one call that it is on devices, which keeps no weights of all pairs.

    For the meta device torch itself takes its parts, one after the other.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is F.scaled_dot_product_attention and args[0].is_meta and args[0].ndim == 4:
            return _fused(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _fused(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    call = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    return call(q, k, v, dropout_p, is_causal, attn_mask=attn_mask, scale=scale)[0]


@contextmanager
def skeleton() -> Generator[None]:
    """Networks that are built inside have shapes and no values: their initialisers do nothing."""
    with META, ShapesOnly(), _Uninitialised():
        yield


def _boolean_index(args: Any) -> bool:
    return any(isinstance(i, Tensor) and i.dtype is torch.bool for i in args[1] if i is not None)


class _Watched(weakref.ref[Any]):
    """A storage until it is freed, under its `key`, and how much of it counts."""

    __slots__ = ("key", "size")
    key: int
    size: int


class Allocations(_Mode):
    """Bytes of the storages that are made inside, while they live: `now`, and `peak`. Views and parameters cost nothing."""

    def __init__(self, device: str) -> None:
        cast(Any, super()).__init__()
        self.device = device
        self.now = 0
        self.peak = 0
        self._seen: dict[int, _Watched] = {}
        self._paused = False

    @contextmanager
    def paused(self) -> Generator[None]:
        """Storages that are made inside come from outside."""
        before, self._paused = self._paused, True
        try:
            yield
        finally:
            self._paused = before

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.known(args)
        made = func(*args, **(kwargs or {}))
        self.count(made)
        return made

    def known(self, args: Any) -> None:
        """What comes in from outside is not made here, though a view of it may come out."""
        for leaf in args:
            if isinstance(leaf, Tensor):
                storage = leaf.untyped_storage()
                if id(storage) not in self._seen:
                    self._watch(storage, 0)

    def count(self, made: Any) -> None:
        """Count what an operation made, if it is new."""
        for leaf in (made,) if isinstance(made, Tensor) else leaves(made):
            if leaf.is_meta if self.device == "meta" else leaf.device.type == self.device:
                storage = leaf.untyped_storage()
                if id(storage) not in self._seen:
                    self._watch(storage, 0 if self._paused else storage.nbytes())

    def _watch(self, storage: Any, size: int) -> None:
        watched = _Watched(storage, self._freed)
        watched.key, watched.size = id(storage), size
        self._seen[watched.key] = watched
        self.now += size
        if self.now > self.peak:
            self.peak = self.now

    def _freed(self, watched: Any) -> None:
        self.now -= watched.size
        if self._seen.get(watched.key) is watched:
            del self._seen[watched.key]


class Operations(_Mode):
    """Floating-point operations that are made inside, also by backward passes.

    torch's own counting mode follows modules too, and so refuses gradients with respect to what a module is given.
    """

    def __init__(self) -> None:
        cast(Any, super()).__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        formula = facts_of(func).formula
        if formula is not None:
            self.count += formula(args, kwargs or {}, made)
        return made


class AbstractRun(_Mode):
    """ShapesOnly, Allocations and Operations as one mode, which takes a third of the time of three."""

    def __init__(self, memory: Allocations, counter: Operations) -> None:
        cast(Any, super()).__init__()
        self.memory = memory
        self.counter = counter

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        facts = facts_of(func)
        kwargs = cast("dict[str, Any]", kwargs or {})
        made = _on_meta(facts, func, args, kwargs, self.memory)
        if facts.formula is not None:
            self.counter.count += facts.formula(args, kwargs, made)
        return made
