"""Torch files of every age, and TorchScript archives: their objects, with tensors that are read one by one.

`torch.load` refuses a training checkpoint for one foreign object in it, and `torch.jit.load` runs code of the file.
"""

import mmap
import re
import struct
import zipfile
from ast import literal_eval
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import torch
from torch import Tensor

from nodes.checkpoints.files import UnreadableFile
from nodes.checkpoints.pickles import Record, Storage, TensorUnpickler

MAGIC = 0x1950A86A20F9469CFC6C
"""The first object of a file in torch's form before 1.6."""
COUNT = struct.Struct("<q")
LARGEST = 2**28
_CLASS = re.compile(r"^class (\w+)\(\w+\):\n((?:[ \t].*\n|\n)*)", re.MULTILINE)
_NAMES = re.compile(r"^  __(?:parameters|buffers)__ = (\[.*\])", re.MULTILINE)


class Container(Protocol):
    """A file with one object and the storages of its tensors."""

    @property
    def held(self) -> Any:
        """The object, with records in place of tensors."""
        ...

    def start(self, storage: Storage) -> int:
        """Where the numbers of a storage begin in the file. Raises UnreadableFile where it does not hold them all."""
        ...

    def numbers(self, storage: Storage) -> Tensor:
        """All numbers of a storage, flat. Raises UnreadableFile."""
        ...

    def again(self) -> "Container":
        """The same file, without what it holds of its numbers by now."""
        ...


def open_torch(path: Path) -> Container:
    """A torch file of either form. Raises UnreadableFile."""
    return Archive(path) if zipfile.is_zipfile(path) else Stream(path)


def is_script(path: Path) -> bool:
    """Whether a file is a TorchScript archive."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


@dataclass(frozen=True)
class Archive:
    """A zip archive: `data.pkl`, a record for each storage in `data/`, and of a script its code."""

    path: Path

    @cached_property
    def _zip(self) -> zipfile.ZipFile:
        return zipfile.ZipFile(self.path)

    @cached_property
    def _root(self) -> str:
        found = [n for n in self._zip.namelist() if re.fullmatch(r"[^/]+/data\.pkl", n)]
        if len(found) != 1:
            raise UnreadableFile("it is a zip archive without one data.pkl")
        return found[0].removesuffix("data.pkl")

    @cached_property
    def held(self) -> Any:
        if self._read("byteorder") not in (b"little", b""):
            raise UnreadableFile("it was written by a machine with another order of bytes")
        return TensorUnpickler(BytesIO(self._read("data.pkl"))).load()

    def _read(self, name: str) -> bytes:
        """The content of a record that is no storage; nothing where there is none."""
        info = self._zip.NameToInfo.get(self._root + name)
        if info is not None and info.file_size > LARGEST:
            raise UnreadableFile(f"its record {info.filename} is larger than any that torch writes")
        return b"" if info is None else self._zip.read(info)

    @cached_property
    def listed(self) -> Mapping[str, frozenset[str]]:
        """Names of parameters and buffers of each class of a script, as its code lists them; the code is not run."""
        start = f"{self._root}code/"
        found: dict[str, frozenset[str]] = {}
        for name in self._zip.namelist():
            if name.startswith(start) and name.endswith(".py"):
                module = name.removeprefix(start).removesuffix(".py").replace("/", ".")
                code = self._read(name.removeprefix(self._root)).decode()
                for kind, body in _CLASS.findall(code):
                    lists = [literal_eval(text) for text in _NAMES.findall(body)]
                    found[f"{module}.{kind}"] = frozenset(n for names in lists for n in names)
        return found

    def again(self) -> "Archive":
        return Archive(self.path)

    def numbers(self, storage: Storage) -> Tensor:
        start, info = self.start(storage), self._record(storage)
        if info.compress_type == zipfile.ZIP_STORED and start % storage.dtype.itemsize == 0:
            return _numbers(self._map, storage.dtype, storage.count, start)
        with self._zip.open(info) as file:
            return _numbers(bytearray(file.read(_bytes(storage))), storage.dtype)

    def start(self, storage: Storage) -> int:
        """Behind the record's own header, which may be longer than the directory says."""
        info = self._record(storage)
        header = self._map[info.header_offset : info.header_offset + 30]
        if len(header) < 30 or info.file_size < _bytes(storage):
            raise UnreadableFile(f"its record {info.filename} is cut off")
        name, extra = struct.unpack("<HH", header[26:])
        start = info.header_offset + 30 + name + extra
        if start + info.compress_size > len(self._map):
            raise UnreadableFile(f"its record {info.filename} is cut off")
        return start

    def _record(self, storage: Storage) -> zipfile.ZipInfo:
        name = f"{self._root}data/{storage.key}"
        if name not in self._zip.NameToInfo:
            raise UnreadableFile(f"its record {name} is missing")
        return self._zip.NameToInfo[name]

    @cached_property
    def _map(self) -> mmap.mmap:
        return _map(self.path)


def _number(file: BinaryIO) -> Any:
    """What a stream begins with; None where its first bytes are no pickle at all."""
    try:
        return TensorUnpickler(file).load()
    except UnreadableFile:
        raise
    except (LookupError, ValueError, TypeError):
        return None


@dataclass(frozen=True)
class Stream:
    """Torch's form before 1.6: one pickle after the other, then the storages, each after its count of numbers."""

    path: Path

    @property
    def held(self) -> Any:
        return self._parts[0]

    @cached_property
    def _parts(self) -> tuple[Any, Mapping[Any, int]]:
        """The object, and where each storage begins."""
        with self.path.open("rb") as file:
            if _number(file) != MAGIC:
                raise UnreadableFile("it is neither of safetensors nor of torch")
            for _ in ("version", "machine"):
                TensorUnpickler(file).load()
            reader = TensorUnpickler(file)
            held = reader.load()
            starts: dict[Any, int] = {}
            for key in TensorUnpickler(file).load():
                starts[key] = file.tell() + COUNT.size
                file.seek(starts[key] + _bytes(reader.storages[key]))
            return held, starts

    def start(self, storage: Storage) -> int:
        start = self._parts[1].get(storage.key)
        if start is None or start + _bytes(storage) > self.path.stat().st_size:
            raise UnreadableFile(f"the numbers of its storage {storage.key} are cut off")
        return start

    def again(self) -> "Stream":
        return self

    def numbers(self, storage: Storage) -> Tensor:
        with self.path.open("rb") as file:
            file.seek(self.start(storage) - COUNT.size)
            if COUNT.unpack(file.read(COUNT.size)) != (storage.count,):
                raise UnreadableFile(f"its storage {storage.key} has another size than was said")
            return _numbers(bytearray(file.read(_bytes(storage))), storage.dtype)


def shape_of(record: Record, container: Container) -> tuple[int, ...]:
    """The shape of a tensor that has not been read. Raises UnreadableFile for a view that its storage does not hold."""
    storage, numbers = record.storage, (record.offset, *record.size, *record.stride)
    if not all(type(n) is int and n >= 0 for n in numbers) or len(record.size) != len(
        record.stride
    ):
        raise UnreadableFile("one of its tensors is no view of a storage")
    if storage is None:
        return tuple(record.size)
    if not isinstance(storage, Storage):
        raise UnreadableFile("one of its tensors is no view of a storage")
    container.start(storage)
    dtype = record.dtype or storage.dtype
    last = record.offset + sum((n - 1) * s for n, s in zip(record.size, record.stride, strict=True))
    if prod(record.size) and (last + 1) * dtype.itemsize > _bytes(storage):
        raise UnreadableFile("one of its tensors is larger than its storage")
    return tuple(record.size)


def tensor_of(record: Record, container: Container) -> Tensor:
    """The tensor of a record; one without numbers stays on the meta device. Raises UnreadableFile."""
    shape = shape_of(record, container)
    if record.storage is None:
        return torch.empty(shape, dtype=record.dtype, device="meta")
    flat = container.numbers(record.storage)
    if record.dtype is not None:
        flat = flat.view(record.dtype)
    return flat.as_strided(shape, tuple(record.stride), record.offset)


def _bytes(storage: Storage) -> int:
    if not isinstance(storage.dtype, torch.dtype) or type(storage.count) is not int:
        raise UnreadableFile("it has a storage of another kind than numbers")
    return max(0, storage.count) * storage.dtype.itemsize


def _map(path: Path) -> mmap.mmap:
    """The file as memory; what is written to it stays in this process."""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)


def _numbers(
    content: bytearray | mmap.mmap, dtype: torch.dtype, count: int = -1, start: int = 0
) -> Tensor:
    """Numbers of a buffer, which they share."""
    if not count or not len(content):
        return torch.empty(0, dtype=dtype)
    return torch.frombuffer(content, dtype=dtype, count=count, offset=start)
