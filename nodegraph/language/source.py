"""The text of a graph, wherever it comes from: a file, the chunks of a picture, a string."""

import os
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from nodegraph.base.codes import Code
from nodegraph.base.diagnostics import Diagnostic, GraphError, Span, diagnostic, nearest
from nodegraph.base.paths import LargeFile, Outside, read_text, why
from nodegraph.library.registry import Registry


@dataclass(frozen=True, slots=True)
class SourceText:
    """A graph that may lie in no file: its text, and the folder its paths are relative to.

    `place` is its path relative to `root`, the folder of the graph that is run, with `/`; that graph's own is its name.
    `siblings` are the texts of subgraphs by place, where they come with the graph.
    """

    name: str
    text: str
    folder: Path | None = None
    siblings: Mapping[str, str] = field(default_factory=dict[str, str])
    place: str = ""
    root: Path | None = None

    @property
    def key(self) -> str:
        """Its place among the graphs that are used with it."""
        return self.place or Path(self.name).name

    @property
    def identity(self) -> str:
        """What tells one graph file from another, however it is named."""
        place = (self.folder or Path()) / Path(self.name).name
        return os.path.realpath(str(place).replace("\0", ""))

    def beside(self, name: str) -> "SourceText":
        """The graph that a node type names, relative to this one.

        Raises Outside if it lies outside `root`, OSError or UnicodeDecodeError if it cannot be read.
        """
        place = posixpath.normpath(posixpath.join(posixpath.dirname(self.key), name))
        root = self.root or self.folder or Path()
        path = root / place.replace("\0", "\\0")
        if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root)):
            raise Outside(f"a graph uses graphs of its own folder only; '{name}' lies outside")
        if place in self.siblings:
            return SourceText(place, self.siblings[place], path.parent, self.siblings, place, root)
        return SourceText(str(path), read_text(path), path.parent, self.siblings, place, root)


def places(source: SourceText, registry: Registry) -> tuple[Path, ...]:
    """What every graph may read: the folder of the graph that is run, and the shipped graphs."""
    shipped = {path.parent for path in (*registry.graphs.values(), *registry.composites.values())}
    return (source.root or source.folder or Path(), *sorted(shipped))


def from_file(path: Path) -> SourceText:
    """A graph file. Raises OSError or UnicodeDecodeError."""
    return SourceText(str(path), read_text(path), path.parent)


def read_source(source: SourceText | Path | str) -> SourceText:
    """The text of a file. Raises GraphError (`unreadable-file`) if it cannot be read."""
    if isinstance(source, SourceText):
        return source
    path = Path(source)
    try:
        return from_file(path)
    except (OSError, UnicodeDecodeError) as error:
        found = unread(str(path), error, Span(str(path), 1, 1, 1, 1))
        absent = isinstance(error, FileNotFoundError)
        beside = map(str, path.parent.glob("*.y*ml")) if absent else ()
        raise GraphError([replace(found, hint=nearest(str(path), beside))]) from None


def unread(
    name: str, error: OSError | UnicodeDecodeError, span: Span, node: str | None = None
) -> Diagnostic:
    """The fault of a graph file that cannot be read."""
    code = Code.LARGE_FILE if isinstance(error, LargeFile) else Code.UNREADABLE_FILE
    return diagnostic(code, f"{name} cannot be read: {why(error)}", span, None, node)
