"""Node files that no library has, as they were read, and their import from that.

They are imported under a name that holds the digest of their content: an edited file is another module, no installed module is
shadowed, and nothing is written beside them.
"""

import hashlib
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.abc import MetaPathFinder, SourceLoader
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from nodegraph.base.framing import framed
from nodegraph.base.libraries import declared_in

ROOT = "nodegraph_workspace"
"""The package that all such files are imported in."""


@dataclass(frozen=True)
class NodeFiles:
    """A node file, or those of a folder, as they were read: the path and the content of each."""

    place: Path
    contents: tuple[tuple[Path, bytes], ...]

    @cached_property
    def digest(self) -> str:
        """Digest of the names and contents of the files, wherever they lie."""
        named = [(path.name, content) for path, content in self.contents]
        return hashlib.blake2b(framed((self.place.name, named)), digest_size=12).hexdigest()

    @property
    def single(self) -> bool:
        """Whether it is one file that is named, and no folder."""
        return any(path == self.place for path, _ in self.contents)

    @property
    def package(self) -> str:
        """The name that the file, or the folder, is imported under."""
        return f"{ROOT}.{self.digest}.{_word(self.place)}"

    @cached_property
    def modules(self) -> dict[str, tuple[Path, bytes]]:
        """The files by the names that they are imported under."""
        if self.single:
            return {self.package: self.contents[0]}
        inner = {f"{self.package}.{_word(path)}": (path, text) for path, text in self.contents}
        initial = inner.pop(f"{self.package}.__init__", None)
        return inner if initial is None else {self.package: initial, **inner}

    @property
    def of_nodes(self) -> list[str]:
        """The modules that are looked through for nodes: the file that is named, and those of a folder that declare some."""
        return [name for name in self.modules if self.single or self.names(name)]

    def names(self, module: str = "") -> tuple[str, ...]:
        """The node types that the text of all files, or of one module, declares."""
        texts = [text for name, (_, text) in self.modules.items() if module in ("", name)]
        return tuple(n for text in texts for n in declared_in(text.decode("utf-8", "replace")))

    def called(self, module: str) -> str:
        """A module's file as people call it: `dim.py`, or `nodes/dim.py` of a folder."""
        name = self.modules[module][0].name
        return name if self.single else f"{self.place.name}/{name}"

    def to_json(self) -> str:
        """The files for another process."""
        contents = {str(path): content.decode("latin-1") for path, content in self.contents}
        return json.dumps({"place": str(self.place), "contents": contents})


def from_json(text: str) -> NodeFiles:
    """Node files from another process."""
    record = cast("dict[str, Any]", json.loads(text))
    contents = cast("dict[str, str]", record["contents"])
    read = tuple((Path(path), content.encode("latin-1")) for path, content in contents.items())
    return NodeFiles(Path(record["place"]), read)


def _word(path: Path) -> str:
    """The name of a file as part of the name of a module."""
    return re.sub(r"\W", "_", path.stem)


@dataclass(frozen=True, slots=True)
class _Loader(SourceLoader):
    """Imports a file from what was read of it; no bytecode is looked for or kept."""

    path: Path
    content: bytes
    called: str

    def get_filename(self, fullname: str) -> str:
        return str(self.path)

    def get_data(self, path: str) -> bytes:
        return self.content


class _Finder(MetaPathFinder):
    """Finds the modules of all node files that were read in this process."""

    def __init__(self) -> None:
        self.loaders: dict[str, _Loader] = {}
        self.packages: set[str] = {ROOT}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of such a module, or of a package around it."""
        loader = self.loaders.get(fullname)
        inside = list[str]() if fullname in self.packages else None
        if loader is not None:
            return spec_from_file_location(
                fullname, loader.path, loader=loader, submodule_search_locations=inside
            )
        return None if inside is None else ModuleSpec(fullname, None, is_package=True)


_finder = _Finder()


def importable(files: NodeFiles) -> None:
    """Make node files importable in this process; nothing is imported by that."""
    if _finder not in sys.meta_path:
        sys.meta_path.append(_finder)
    for name, (path, content) in files.modules.items():
        _finder.loaders[name] = _Loader(path, content, files.called(name))
    _finder.packages.add(f"{ROOT}.{files.digest}")
    if not files.single:
        _finder.packages.add(files.package)


def file_of(home: str) -> str | None:
    """The node file that `module:function` lies in, as people call it; None for one of a library."""
    loader = _finder.loaders.get(home.partition(":")[0])
    return None if loader is None else loader.called


def shown(home: str) -> str:
    """`module:function`, of a node file `file.py:function`."""
    file = file_of(home)
    return home if file is None else f"{file}:{home.partition(':')[2]}"
