"""Results by key: in memory, and on disk where they outlive the process. Never pickled; whole or not there."""

import json
import os
import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, is_dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

from nodegraph.base.ownership import Marks, marks, plain, touched
from nodegraph.base.partial import scratch
from nodegraph.library.port import TypeRef
from nodegraph.runtime.keys import Key
from nodegraph.runtime.literals import Library
from nodegraph.runtime.packed import intact, packed, unpack
from nodegraph.runtime.remote import Remote
from nodegraph.runtime.warn import Said, Warned

META = "entry.json"
PLAIN = ("str", "int", "float", "bool", "Text", "Seed")
Where = Literal["memory", "disk"]


class Kept(NamedTuple):
    """The outputs of a step, and what was said on the way to them."""

    outputs: tuple[Any, ...]
    said: tuple[Said, ...] = ()


@dataclass(slots=True)
class Memory:
    """The most recent results, bounded by their number and their bytes."""

    entries: int = 4096
    bytes: int = 2**30
    _held: OrderedDict[Key, tuple[Kept, int, Marks]] = field(
        default_factory=OrderedDict[Key, tuple[Kept, int, Marks]]
    )
    _size: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __contains__(self, key: Key) -> bool:
        return key in self._held

    def get(self, key: Key) -> Kept | None:
        """What is kept of a step, or None; what was written to since is let go."""
        with self._lock:
            found = self._held.get(key)
            if found is None:
                return None
            if touched(found[2]):
                self._size -= self._held.pop(key)[1]
                return None
            self._held.move_to_end(key)
            return found[0]

    def put(self, key: Key, kept: Kept) -> None:
        """Keep the outputs; the least recently used go when there is no room."""
        bare = plain(kept.outputs)
        size = 64 * len(kept.outputs) if bare else sum(map(_bytes, kept.outputs))
        with self._lock:
            if key in self._held:
                self._size -= self._held.pop(key)[1]
            self._size += size
            self._held[key] = (kept, size, [] if bare else marks(kept.outputs))
            while len(self._held) > self.entries or (
                self._size > self.bytes and len(self._held) > 1
            ):
                self._size -= self._held.popitem(last=False)[1][1]

    def clear(self) -> None:
        """Let everything go."""
        with self._lock:
            self._held.clear()
            self._size = 0


def _bytes(value: Any, depth: int = 3) -> int:
    """About how much a value holds: tensors and arrays by their size, also inside lists and dataclasses."""
    try:
        size = getattr(value, "nbytes", None)
    except RuntimeError:  # a sparse tensor does not say
        size = value.numel() * value.element_size()
    if size is not None:
        return int(size)
    parts: list[Any] = []
    if depth and isinstance(value, list | tuple):
        parts = list(cast("tuple[Any, ...]", value))
    elif depth and is_dataclass(value) and not isinstance(value, type):
        parts = [getattr(value, field.name) for field in fields(value)]
    return sum((_bytes(part, depth - 1) for part in parts), 64)


def storable(ref: TypeRef, library: Library) -> bool:
    """Whether values of a type can be kept on disk."""
    if ref.name == "list":
        return all(storable(argument, library) for argument in ref.args)
    facts = library.facts(ref.name)
    return ref.name in PLAIN or (facts is not None and not facts.live)


def entry_of(folder: Path, key: Key) -> Path:
    """The folder of an entry in that of a cache."""
    name = key.hex()
    return folder / name[:2] / name


@dataclass(slots=True)
class Disk:
    """Results in folders named by their keys. An entry is made beside and renamed into place, and verified when read.

    Bounded by `limit` in bytes: what was not used for longest goes, with the first result that a process keeps, and
    whenever it has kept an eighth of the limit more. Several processes may share the folder.
    """

    folder: Path
    library: Library
    limit: int = 4 * 2**30
    _unchecked: int | None = None
    """Bytes kept since the size of the whole was looked at; None before the first time."""

    def path(self, key: Key) -> Path:
        """Folder of an entry."""
        return entry_of(self.folder, key)

    def __contains__(self, key: Key) -> bool:
        return os.path.exists(self.path(key) / META)  # noqa: PTH110 (a folder that may not be read has none)

    def keeps(self, types: Sequence[TypeRef]) -> bool:
        """Whether values of these types can be kept: live ones cannot."""
        return all(storable(ref, self.library) for ref in types)

    def put(self, key: Key, kept: Kept, types: Sequence[TypeRef]) -> None:
        """Keep the outputs of a step, if they and the disk let us: what cannot be kept is no fault of the graph."""
        self._enter(key, lambda made: self.make(made, kept, types))

    def adopt(self, key: Key, content: bytes) -> None:
        """Keep an entry that was packed elsewhere, if the disk lets us. Raises Damaged."""
        files = intact(content, key)
        self._enter(key, lambda made: unpack(files, made))

    def packed(self, key: Key) -> bytes | None:
        """An entry as bytes; None where it is not there, or cannot be read."""
        try:
            return packed(self.path(key), key) if key in self else None
        except OSError:
            return None

    def _enter(self, key: Key, make: Callable[[Path], None]) -> None:
        target = self.path(key)
        if key in self:
            return
        try:
            with scratch(self.folder) as beside:
                made = beside / "entry"
                make(made)
                size = _size(made)
                if key not in self and target.exists():
                    self._remove(target)
                target.parent.mkdir(parents=True, exist_ok=True)
                made.rename(target)
        # A full disk raises what the library of the format likes to raise, and no result is lost for it.
        except Exception:
            return
        self._account(size)

    def make(self, entry: Path, kept: Kept, types: Sequence[TypeRef]) -> None:
        """Write an entry into a new folder. Raises what the libraries of the formats like to raise."""
        entry.mkdir()
        for number, (value, ref) in enumerate(zip(kept.outputs, types, strict=True)):
            self._dump(value, ref, entry / str(number))
        self._seal(entry, kept.said)

    def remove(self, key: Key) -> None:
        """Forget a result, if it is there."""
        self._remove(self.path(key))

    def _remove(self, entry: Path) -> None:
        """Take an entry out at once, and then delete it: a kill in between leaves no half of it in its place."""
        with suppress(OSError), scratch(self.folder) as beside:
            entry.rename(beside / "entry")

    def _account(self, size: int) -> None:
        """Count what was kept, and look at the whole when it is time."""
        first = self._unchecked is None
        self._unchecked = size + (self._unchecked or 0)
        if first or self._unchecked > self.limit // 8:
            self._unchecked = 0
            self.trim()

    def _dump(self, value: Any, ref: TypeRef, folder: Path) -> None:
        folder.mkdir()
        port = self.library.port_type(ref.name)
        if ref.name == "list":
            for number, item in enumerate(value):
                self._dump(item, ref.args[0], folder / str(number))
        elif port is None or port.dump is None:
            (folder / "value.json").write_text(json.dumps(value), encoding="utf-8")
        else:
            port.dump(value, folder)

    def _seal(self, folder: Path, said: Sequence[Said]) -> None:
        files = [p for p in sorted(folder.rglob("*")) if p.is_file()]
        digests = {p.relative_to(folder).as_posix(): _digest(p) for p in files}
        words = [[s.key, s.warning.message, s.warning.port, s.warning.hint] for s in said]
        meta = {"files": digests, "said": words}
        (folder / META).write_text(json.dumps(meta), encoding="utf-8")

    def get(self, key: Key, types: Sequence[TypeRef]) -> Kept | None:
        """What is kept of a step, or None; an entry that is damaged is removed."""
        folder = self.path(key)
        try:
            meta = json.loads((folder / META).read_text(encoding="utf-8"))
            if any(_digest(folder / name) != digest for name, digest in meta["files"].items()):
                raise ValueError("damaged")
            found = tuple(self._load(ref, folder / str(number)) for number, ref in enumerate(types))
            said = tuple(Said(maker, Warned(*words)) for maker, *words in meta.get("said", ()))
        # A damaged file raises what the library of its format likes to raise.
        except Exception:
            self._remove(folder)
            return None
        with suppress(OSError):  # a cache that cannot be written can be read
            os.utime(folder / META)
        return Kept(found, said)

    def _load(self, ref: TypeRef, folder: Path) -> Any:
        port = self.library.port_type(ref.name)
        if ref.name == "list":
            items = sorted(folder.iterdir(), key=lambda p: int(p.name))
            return [self._load(ref.args[0], item) for item in items]
        if port is None or port.load is None:
            return json.loads((folder / "value.json").read_text(encoding="utf-8"))
        return port.load(folder)

    def size(self) -> int:
        """Bytes on disk."""
        return _size(self.folder)

    def trim(self) -> None:
        """Remove the entries not used for longest, until the rest fits the limit."""
        total = self.size()
        if total <= self.limit:
            return
        entries = [
            (used, meta.parent)
            for meta in self.folder.glob("??/*/" + META)
            if (used := _time(meta))
        ]
        for _, entry in sorted(entries):
            total -= _size(entry)
            self._remove(entry)
            if total <= self.limit:
                return

    def clear(self) -> int:
        """Remove everything; returns the bytes that were freed."""
        freed = self.size()
        shutil.rmtree(self.folder, ignore_errors=True)
        return freed


def _size(folder: Path) -> int:
    """Bytes of all files below a folder; those that another process removes meanwhile do not count."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += (Path(place) / name).stat().st_size
    return total


def _time(path: Path) -> float:
    """When a file or folder was last written; 0 if it is not there any more."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _digest(path: Path) -> str:
    return blake2b(path.read_bytes(), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Cache:
    """Memory over disk over what machines share. Only what took longer than `worth` seconds goes to disk, and what is shown:
    without it the next process would load all that makes it."""

    memory: Memory = field(default_factory=Memory)
    disk: Disk | None = None
    worth: float = 0.05
    remote: Remote | None = None
    """What other machines keep too: results go there behind, and `bring` looks there."""

    def where(self, key: Key) -> Where | None:
        """Where a result lies, without reading it."""
        if key in self.memory:
            return "memory"
        return "disk" if self.disk is not None and key in self.disk else None

    def bring(self, wanted: Iterable[tuple[Key, Sequence[TypeRef]]]) -> None:
        """Lay what other machines have kept of some steps on this one's disk."""
        disk, remote = self.disk, self.remote
        if disk is not None and remote is not None:
            absent = [k for k, types in wanted if self.where(k) is None and disk.keeps(types)]
            remote.fetch(absent, disk)

    def get(self, key: Key, types: Sequence[TypeRef]) -> tuple[Kept, Where] | None:
        """What is kept of a step and where it was found."""
        held = self.memory.get(key)
        if held is not None:
            return held, "memory"
        if self.disk is None or key not in self.disk:
            return None
        read = self.disk.get(key, types)
        if read is None:
            return None
        self.memory.put(key, read)
        return read, "disk"

    def forget(self) -> None:
        """Forget what is in memory, after a node has changed some of it; what is on disk is as it was made."""
        self.memory.clear()

    def put(
        self,
        key: Key,
        kept: Kept,
        types: Sequence[TypeRef],
        seconds: float,
        shown: bool = False,
    ) -> None:
        """Keep what a step gave; it is on disk, if it goes there, when this returns. `shown`: as an output of the graph."""
        self.memory.put(key, kept)
        if self.disk is not None and (shown or seconds > self.worth) and self.disk.keeps(types):
            self.disk.put(key, kept, types)
            if self.remote is not None:
                self.remote.keep(key, self.disk)
