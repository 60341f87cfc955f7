"""Pickles of torch files, read without running anything that they ask for: tensors become records, the rest stand-ins."""

import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import torch

DTYPES = {name: value for name, value in vars(torch).items() if isinstance(value, torch.dtype)}
STORAGES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "UntypedStorage": torch.uint8,
}


@dataclass(frozen=True)
class Storage:
    """Where numbers lie in a file: `count` of them, under a key."""

    dtype: Any
    key: Any
    count: Any


@dataclass(frozen=True)
class Record:
    """A tensor that has not been read: a view of a storage, of the storage's dtype unless another is named.

    One that was saved from the meta device has no storage.
    It comes out of a file that anybody may have written: its parts are checked when it is read.
    """

    storage: Any
    offset: Any
    size: Any
    stride: Any
    dtype: Any = None


class Foreign:
    """Stands for whatever is no tensor and no container: it keeps the state that it is given, and does nothing."""

    qualified = ""
    state: Any = None

    def __new__(cls, *_: Any, **__: Any) -> "Foreign":
        return object.__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __call__(self, *_: Any, **__: Any) -> "Foreign":
        return Foreign()

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def append(self, value: Any) -> None:
        pass

    def extend(self, values: Any) -> None:
        pass

    def add(self, value: Any) -> None:
        pass


class TensorUnpickler(pickle._Unpickler):
    """Gives records of tensors, plain values and containers, and `Foreign` objects in place of all others.

    Python's own unpickler, not the one in C: the latter sets memory aside for whatever number a file names.
    """

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file, encoding="utf-8")
        self.storages: dict[Any, Storage] = {}
        self._foreign: dict[str, type[Foreign]] = {}
        # Methods of this object: what a file does to them ends with it.
        self._known: Mapping[tuple[str, str], Any] = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch", "Size"): tuple,
            ("builtins", "set"): set,
            ("__builtin__", "set"): set,
            ("torch._utils", "_rebuild_tensor"): self.rebuilt,
            ("torch._utils", "_rebuild_tensor_v2"): self.rebuilt,
            ("torch._utils", "_rebuild_tensor_v3"): self.rebuilt_as,
            ("torch._utils", "_rebuild_meta_tensor_no_storage"): self.rebuilt_empty,
            ("torch._utils", "_rebuild_parameter"): self.first,
            ("torch._utils", "_rebuild_parameter_with_state"): self.first,
            ("torch._tensor", "_rebuild_from_type_v2"): self.rebuilt_by,
        }

    def find_class(self, module: str, name: str) -> Any:
        """What a name in the file stands for here; nothing is ever imported."""
        if (module, name) in self._known:
            return self._known[module, name]
        if module == "torch" and name in DTYPES:
            return DTYPES[name]
        if module in ("torch", "torch.cuda", "torch.storage") and name in STORAGES:
            return STORAGES[name]
        qualified = f"{module}.{name}"
        if qualified not in self._foreign:
            self._foreign[qualified] = type("Foreign", (Foreign,), {"qualified": qualified})
        return self._foreign[qualified]

    def persistent_load(self, pid: Any) -> Any:
        """A storage, or a module whose source the oldest files keep beside it."""
        kind, value, *rest = pid
        if kind == "module":
            return value
        key, _, count = rest[:3]
        if any(rest[3:]):
            raise ValueError("it keeps views of storages, as no torch since 0.4 does")
        return self.storages.setdefault(key, Storage(value, key, count))

    def rebuilt(self, storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Record:
        return Record(storage, offset, size, stride)

    def rebuilt_as(
        self, storage: Any, offset: Any, size: Any, stride: Any, grad: Any, hooks: Any, dtype: Any
    ) -> Record:
        return Record(storage, offset, size, stride, dtype)

    def rebuilt_empty(self, dtype: Any, size: Any, stride: Any, *_: Any) -> Record:
        return Record(None, 0, size, stride, dtype)

    def first(self, value: Any, *_: Any) -> Any:
        return value

    def rebuilt_by(self, function: Callable[..., Any], kind: Any, arguments: Any, *_: Any) -> Any:
        """A tensor that had attributes: `function` is one of these methods, or a stand-in."""
        return function(*arguments)
