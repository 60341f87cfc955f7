"""The registry of what is installed and of a workspace; programs that go on for long follow what comes, goes or changes."""

import importlib
import os
import site
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec

from nodegraph.base.libraries import GRAPH_GROUP, NODE_GROUP, OWN, TYPE_GROUP, Broken, libraries
from nodegraph.base.node_files import NodeFiles
from nodegraph.base.workspace import NOWHERE, Workspace, importable_since
from nodegraph.library import beside
from nodegraph.library.catalogue import installed
from nodegraph.library.registry import Registry

READ = (".py", ".yaml")
"""How the files end that a catalogue is made of."""
File = tuple[str, int, int]
State = tuple[tuple[float, ...], Mapping[str, frozenset[File]]]
"""When something was last installed, and the files of each library as the disk tells of them."""


@dataclass(slots=True)
class Installed:
    """The registry of what is installed. It stays as it was read, until `look` finds another state of the disk."""

    edition: int = 0
    """Rises with each reading that found something else."""
    _registry: Registry | None = None
    _roots: tuple[str, ...] = ()
    _seen: State | None = None
    _read: State | None = None

    def registry(self) -> Registry:
        """As it was read last; the first time it is read."""
        if self._registry is None:
            self._registry = installed()
        return self._registry

    def look(self) -> bool:
        """Whether what is installed is other than it was. It is read when two looks saw the same: an installation has ended.

        Raises BrokenLibrary where nothing can be read; what was read before stays.
        """
        now, before = self._state(), self._read
        settled, self._seen = now == self._seen, now
        if not settled or now == before:
            return False
        self._read = now
        known = self.registry()
        _forget_modules(before[1] if before is not None else {}, now[1])
        found = installed()
        if found.code and found.code == known.code:
            return False
        self._registry, self.edition = found, self.edition + 1
        return True

    def _state(self) -> State:
        """What the disk tells without a file being read; some milliseconds."""
        since = importable_since()
        if self._seen is None or since != self._seen[0]:
            _importable_again()
            since = importable_since()  # folders may have come to the path
            groups = (NODE_GROUP, TYPE_GROUP, GRAPH_GROUP)
            names = {name.partition(".")[0] for group in groups for name in libraries(group)}
            self._roots = tuple(sorted({OWN, *names}))
        return since, {root: frozenset(_files_of(root)) for root in self._roots}


def _importable_again() -> None:
    """Let this process find what was installed since it began: folders of its path, and those that `.pth` files name."""
    for folder in (*site.getsitepackages(), site.getusersitepackages()):
        if folder in sys.path:
            site.addsitedir(folder)
    importlib.invalidate_caches()


def _files_of(root: str) -> Iterator[File]:
    """The source files and graphs of a package, or of a module, with their times and sizes."""
    with suppress(ImportError, ValueError, AttributeError):
        spec = find_spec(root)
        if spec is not None and spec.submodule_search_locations is None and spec.origin:
            yield _file(spec.origin, os.stat(spec.origin))  # noqa: PTH116 (texts are quicker than paths)
        for place in (spec.submodule_search_locations or ()) if spec is not None else ():
            yield from _files_below(place)


def _files_below(place: str) -> Iterator[File]:
    with suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from () if entry.name == "__pycache__" else _files_below(entry.path)
            elif entry.name.endswith(READ):
                yield _file(entry.path, entry.stat())


def _file(path: str, status: os.stat_result) -> File:
    return path, status.st_mtime_ns, status.st_size


def _forget_modules(
    before: Mapping[str, frozenset[File]], now: Mapping[str, frozenset[File]]
) -> None:
    """Let what was imported of changed libraries be imported anew; the engine's own modules stay as they are."""
    changed = {root for root in (*before, *now) if root in before and before[root] != now.get(root)}
    for name in [*sys.modules]:
        if name.partition(".")[0] in changed - {OWN}:
            sys.modules.pop(name, None)
    beside.types_digest.cache_clear()


_known = Installed()


def registry(workspace: Workspace = NOWHERE) -> Registry:
    """The registry of what is installed, read once, and of the node files of a workspace as they are now. Raises NoNodes."""
    if not workspace:
        return _known.registry()
    return _with_node_files(*workspace.read(), importable_since(), _known.edition)


def refreshed() -> bool:
    """Look whether what is installed has changed, and read it again; for programs that go on for long, every second or so.

    Raises BrokenLibrary where nothing can be read; what was read before stays.
    """
    return _known.look()


def edition() -> int:
    """A number that rises when `refreshed` finds something else: what imported libraries before may hold older code."""
    return _known.edition


@lru_cache(maxsize=4)
def _with_node_files(
    files: tuple[NodeFiles, ...],
    refused: tuple[Broken, ...],
    since: tuple[float, ...],
    edition: int,
) -> Registry:
    """With node files; those that cannot be read now may be `since` something else was installed."""
    return beside.with_node_files(_known.registry(), files, refused)
