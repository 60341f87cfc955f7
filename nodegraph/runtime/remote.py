"""A cache that machines share, behind the disk of each: a folder that all of them see, S3, whatever fsspec has an address for.

Reading goes over a digest, writing happens behind what computes, and neither can do more than cost time: a cache that fails,
hangs or lies is one in which nothing lies.
"""

import atexit
import secrets
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from socket import gaierror
from threading import Lock, Thread
from typing import Any, Protocol

from nodegraph.base.codes import Code
from nodegraph.base.diagnostics import Diagnostic, Unusable, diagnostic, nearest
from nodegraph.runtime.keys import Key
from nodegraph.runtime.packed import Damaged

PATIENCE = 10.0
"""Seconds for which answers are waited for; one that comes later is taken all the same."""
TRIES = 3
"""Failures, one after the other, until it is left alone."""
REST = 60.0
"""Seconds for which it is left alone then."""
ABSENT = 5.0
"""Seconds for which what was not there is not asked for again."""
SETTLING = 30.0
"""Seconds that what is still to be written is waited for at the end."""
HANDS = 8
"""Threads that read, and as many that write: an answer takes long, and little work."""
BESIDE = ".partial"
"""The folder in it where entries are made."""


class NoAddress(Unusable):
    """What is named as a cache that machines share is none."""


class Entries(Protocol):
    """The disk of this machine, as far as it is needed here."""

    def adopt(self, key: Key, content: bytes) -> None:
        """Keep an entry that was packed elsewhere. Raises Damaged."""
        ...

    def packed(self, key: Key) -> bytes | None:
        """An entry as bytes; None where it is not there."""
        ...


@dataclass(slots=True)
class Hands:
    """Threads that do things one after the other. They end with the process, whatever they wait for."""

    count: int
    _tasks: "SimpleQueue[tuple[Callable[[], None], Future[None]]]" = field(
        default_factory=SimpleQueue[tuple[Callable[[], None], "Future[None]"]]
    )
    _begun: int = 0

    def do(self, task: Callable[[], None]) -> "Future[None]":
        """Have it done; it raises nothing."""
        done = Future[None]()
        self._tasks.put((task, done))
        if self._begun < self.count:
            self._begun += 1
            Thread(target=self._work, daemon=True).start()
        return done

    def _work(self) -> None:
        while True:
            task, done = self._tasks.get()
            try:
                task()
            finally:
                done.set_result(None)


@dataclass(slots=True)
class Remote:
    """Entries under an address, each one file, immutable: made beside and put in its place, verified when it is read."""

    address: str
    files: Any = field(repr=False)
    """fsspec's file system."""
    root: str
    patience: float = PATIENCE
    rest: float = REST
    _reading: Hands = field(default_factory=lambda: Hands(HANDS))
    _writing: Hands = field(default_factory=lambda: Hands(HANDS))
    _lock: Lock = field(default_factory=Lock)
    _absent: dict[Key, float] = field(default_factory=dict[Key, float])
    _damaged: set[Key] = field(default_factory=set[Key])
    _folders: set[str] = field(default_factory=set[str])
    _behind: "set[Future[None]]" = field(default_factory=set["Future[None]"])
    _settles: bool = False
    _failures: int = 0
    _asked_again: float = 0.0
    _said: dict[str, bool] = field(default_factory=dict[str, bool])
    """What is wrong, and whether it was told."""

    def fetch(self, keys: Iterable[Key], disk: Entries) -> None:
        """Lay those of some entries that are there on this machine's disk; gives up after `patience` seconds."""
        now = time.monotonic()
        wanted = [key for key in keys if self._absent.get(key, 0.0) < now]
        if not wanted or self._resting():
            return
        asked = [self._reading.do(partial(self._bring, key, disk)) for key in wanted]
        if wait(asked, self.patience).not_done:
            self._failed(f"it has not answered within {self.patience:g} s")

    def keep(self, key: Key, disk: Entries) -> None:
        """Write an entry of this machine's disk, behind."""
        if not self._settles:
            self._settles = True
            atexit.register(self.settle)
        done = self._writing.do(partial(self._put, key, disk))
        self._behind.add(done)
        done.add_done_callback(self._behind.discard)

    def settle(self, seconds: float = SETTLING) -> None:
        """Wait until all is written; no longer than so many seconds."""
        left = wait(tuple(self._behind), seconds).not_done
        if left:
            self._say(f"{len(left)} results were not written in {seconds:g} s, and are given up")
        self._behind.clear()

    def complaints(self) -> list[Diagnostic]:
        """What went wrong that was not told yet."""
        with self._lock:
            new = [said for said, told in self._said.items() if not told]
            self._said |= dict.fromkeys(new, True)
        hint = "results are made again; look at the address, and at what may be read and written"
        return [
            diagnostic(Code.REMOTE_CACHE, f"the cache {self.address}: {said}", hint=hint)
            for said in new
        ]

    def _bring(self, key: Key, disk: Entries) -> None:
        if self._resting():
            return None
        try:
            disk.adopt(key, self.files.cat_file(self._path(key)))
        except FileNotFoundError:
            self._absent[key] = time.monotonic() + ABSENT
        except Damaged as error:
            self._damaged.add(key)
            return self._failed(f"{error}")
        except Exception as error:  # of whatever kind the library of the place likes to raise
            return self._failed(_words(error))
        self._failures = 0
        return None

    def _put(self, key: Key, disk: Entries) -> None:
        content = None if self._resting() else disk.packed(key)
        if content is None:
            return None
        target, beside = self._path(key), f"{self.root}/{BESIDE}/{secrets.token_hex(8)}"
        try:
            if key not in self._damaged and self.files.exists(target):
                return None
            self._folder(beside)
            self._folder(target)
            self.files.pipe_file(beside, content)
            self.files.mv(beside, target)
        except Exception as error:
            with suppress(Exception):
                self.files.rm_file(beside)
            return self._failed(_words(error))
        self._failures = 0
        self._damaged.discard(key)
        return None

    def _folder(self, path: str) -> None:
        """See that the folder of a path is there; where folders mean nothing it always is."""
        folder = path.rpartition("/")[0]
        if folder not in self._folders:
            self.files.makedirs(folder, exist_ok=True)
            self._folders.add(folder)

    def _path(self, key: Key) -> str:
        name = key.hex()
        return f"{self.root}/{name[:2]}/{name}"

    def _resting(self) -> bool:
        return time.monotonic() < self._asked_again

    def _failed(self, why: str) -> None:
        self._say(why)
        with self._lock:
            self._failures += 1
            if self._failures >= TRIES:
                self._failures, self._asked_again = 0, time.monotonic() + self.rest

    def _say(self, why: str) -> None:
        with self._lock:
            self._said.setdefault(why, False)


def remote(address: str) -> Remote:
    """The cache under an address. Raises NoAddress, with the mend, for what is none; whether it answers is seen later."""
    fsspec: Any = import_module("fsspec")
    kind, _, rest = address.rpartition("://")
    try:
        if not rest:
            raise ValueError("it names no place")
        given = address if kind else str(Path(address).expanduser().absolute())
        files, root = _opened(given)
    except ImportError as error:
        message = f"the cache {address} needs a package that is not here: {error}"
        mend = f"pip install {_package(kind)}"
        raise NoAddress(diagnostic(Code.NO_PACKAGE, message, hint=mend)) from None
    except Exception as error:
        kinds = fsspec.available_protocols()
        known = nearest(kind, kinds) if kind and kind not in kinds else None
        hint = known or "say a folder that all machines see, or s3://BUCKET/FOLDER"
        message = f"'{address}' is no address of a cache: {_words(error)}"
        raise NoAddress(diagnostic(Code.BAD_CACHE, message, hint=hint)) from None
    return Remote(address, files, root.rstrip("/"))


def _opened(address: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it. One that does not answer yet is asked again when it is used."""
    core: Any = import_module("fsspec.core")
    try:
        return core.url_to_fs(address)
    except (ConnectionError, TimeoutError, gaierror):
        return Away(address), core.strip_protocol(address)


@dataclass(frozen=True, slots=True)
class Away:
    """A file system that did not answer. Whatever is asked of it raises what keeps it from answering, or is done."""

    address: str

    def __getattr__(self, name: str) -> Any:
        core: Any = import_module("fsspec.core")
        return getattr(core.url_to_fs(self.address)[0], name)


def _package(kind: str) -> str:
    """The package that knows a kind of address."""
    return {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs"}.get(
        kind, f"'fsspec[{kind}]'"
    )


def _words(error: Exception) -> str:
    """An error in a line, without what differs from one time to the next."""
    text = str(getattr(error, "strerror", None) or error).partition("\n")[0][:200]
    return text or type(error).__name__
