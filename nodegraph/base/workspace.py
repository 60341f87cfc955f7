"""Where node files are looked for beside the libraries: what a person names, and the folder `nodes/` of the workspace."""

import os
import sys
from collections.abc import Collection
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from nodegraph.base.libraries import NODE_GROUP, TYPE_GROUP, Broken, libraries
from nodegraph.base.node_files import NodeFiles

FOLDER = "nodes"
"""The folder of node files in a workspace."""
LARGEST = 2**20
"""Bytes of a node file."""


class NoNodes(ValueError):
    """What is named as a node file is none, for a reason: it is not there, or cannot be read."""

    def __init__(self, place: Path, reason: str) -> None:
        super().__init__(place, reason)
        self.place = place
        self.reason = reason

    def __str__(self) -> str:
        return f"the nodes of '{self.place}' cannot be read: {self.reason}"


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where node files are looked for beside the libraries: what a person `named`, and `nodes/` of a `folder`."""

    named: tuple[Path, ...] = ()
    folder: Path | None = None

    def __bool__(self) -> bool:
        """Whether there is anywhere to look."""
        return bool(self.named) or self.folder is not None

    def read(self) -> tuple[tuple[NodeFiles, ...], tuple[Broken, ...]]:
        """The node files as they are now, each once, and what of the folder is not read. Raises NoNodes for what is named."""
        found = {files.place: files for files in map(_named, self.named)}
        own, refused = (None, None) if self.folder is None else _of_folder(self.folder, found)
        if own is not None:
            found[own.place] = own
        alone = (f for f in found.values() if not (f.single and f.place.parent in found))
        return tuple(alone), (refused,) if refused is not None else ()


NOWHERE = Workspace()


def _named(place: Path) -> NodeFiles:
    """What a person named. Raises NoNodes, also for a folder that declares none; a file may declare them in other ways."""
    found = _read(place)
    if not found.single and not found.names():
        raise NoNodes(place, "no file in this folder declares a node: a function under @node")
    return found


def _read(place: Path) -> NodeFiles:
    """A node file, or those that lie directly in a folder. Raises NoNodes."""
    real = Path(os.path.abspath(place))  # noqa: PTH100 (links stay: they are what the person named)
    try:
        if not real.is_dir():
            return NodeFiles(real, ((real, _content(real)),))
        paths = sorted(path for path in real.glob("*.py") if path.is_file())
        return NodeFiles(real, tuple((path, _content(path)) for path in paths))
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise NoNodes(place, reason) from None


def _content(path: Path) -> bytes:
    if path.suffix != ".py":
        raise ValueError("a node file is called *.py, or it is a folder of them")
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError(f"{path.name} is larger than {LARGEST >> 20} MiB")
    return content


def _of_folder(folder: Path, named: Collection[Path]) -> tuple[NodeFiles | None, Broken | None]:
    """The node files of a workspace, where its folder `nodes/` declares any and is no installed library; or why not."""
    place = Path(os.path.abspath(folder / FOLDER))  # noqa: PTH100
    if place in named or not place.is_dir():
        return None, None
    try:
        found = _read(place)
        owners = {path.stat().st_uid for path in (place, *(path for path, _ in found.contents))}
    except NoNodes as error:
        return None, Broken(FOLDER, error.reason, own=True)
    except OSError as error:
        return None, Broken(FOLDER, error.strerror or str(error), own=True)
    if not found.names() or _installed(place):
        return None, None
    if hasattr(os, "getuid") and owners != {os.getuid()}:
        reason = f"it belongs to another user; `--nodes {FOLDER}` reads it all the same"
        return None, Broken(FOLDER, reason, found.names(), own=True)
    return found, None


def _installed(place: Path) -> bool:
    """Whether a folder is a package of an installed library, or lies around one or in one."""
    real = place.resolve()
    for package in {*libraries(NODE_GROUP), *libraries(TYPE_GROUP)}:
        spec = find_spec(package.partition(".")[0])
        places = (spec.submodule_search_locations or [spec.origin or ""]) if spec else []
        if any(_related(real, Path(found).resolve()) for found in places if found):
            return True
    return False


def _related(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)


def importable_since() -> tuple[float, ...]:
    """When something was last installed, or taken away, in each folder that modules are found in."""
    return tuple(map(_changed, sys.path))


def _changed(folder: str) -> float:
    try:
        return os.stat(folder or ".").st_mtime  # noqa: PTH116 (a text of `sys.path`)
    except OSError:
        return 0.0
