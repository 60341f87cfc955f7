"""The registry of what is installed and of node files beside it; of those too a child process writes the catalogue."""

from collections.abc import Iterable
from dataclasses import replace
from functools import cache

from nodegraph.base.libraries import TYPE_GROUP, Broken, libraries, sources_digest
from nodegraph.base.node_files import NodeFiles, file_of, importable, shown
from nodegraph.base.paths import cache_folder
from nodegraph.library.catalogue import kept_or_told
from nodegraph.library.registry import Registry, merged

KEPT = 32
"""How many catalogues of node files are kept."""


def with_node_files(
    installed: Registry, files: Iterable[NodeFiles], refused: Iterable[Broken] = ()
) -> Registry:
    """The registry with the nodes and port types of node files. What two define stands for neither, as among libraries."""
    known = replace(installed, broken=(*installed.broken, *refused))
    for found in files:
        importable(found)
        both = merged(known, catalogue_of(found))
        known = replace(
            both,
            graphs=known.graphs,
            composites={n: p for n, p in known.composites.items() if n not in both.clashes},
            broken=tuple(map(_called, both.broken)),
            code="" if both.broken or not known.code else f"{known.code}-{found.digest}",
        )
    return known


def _called(broken: Broken) -> Broken:
    """What cannot be read, by the name of the node file if it is of one."""
    own = broken.own or file_of(broken.place) is not None
    return replace(broken, place=shown(broken.place), own=own)


def catalogue_of(files: NodeFiles) -> Registry:
    """The registry of node files alone. It is read in a child process unless they, and what is installed, are as they were."""
    path = cache_folder() / f"nodes-{code_of(files)}.json"
    return kept_or_told(path, "main_of_files", files.to_json(), KEPT)


def code_of(files: NodeFiles) -> str:
    """What the results of the nodes of some files depend on, short of their inputs: the files, the port types, the engine."""
    return f"{types_digest()}-{files.digest}"


@cache
def types_digest() -> str:
    """Digest of the port types that are installed, and of the engine."""
    return sources_digest(libraries(TYPE_GROUP), ())
