"""The text of a graph, wherever it comes from: a file, the chunks of a picture, a string."""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nodegraph.errors import GraphError, Span, diagnostic
from nodegraph.paths import Outside


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
        return str(((self.folder or Path()) / Path(self.name).name).resolve())

    def beside(self, name: str) -> "SourceText":
        """The graph that a node type names, relative to this one.

        Raises Outside if it lies outside `root`, OSError or UnicodeDecodeError if it cannot be read.
        """
        place = posixpath.normpath(posixpath.join(posixpath.dirname(self.key), name))
        root = self.root or self.folder or Path()
        path = root / place
        if not path.resolve().is_relative_to(root.resolve()):
            raise Outside(f"a graph uses graphs of its own folder only; '{name}' lies outside")
        if place in self.siblings:
            return SourceText(place, self.siblings[place], path.parent, self.siblings, place, root)
        return SourceText(
            str(path), path.read_text(encoding="utf-8"), path.parent, self.siblings, place, root
        )


def from_file(path: Path) -> SourceText:
    """A graph file. Raises OSError or UnicodeDecodeError."""
    return SourceText(str(path), path.read_text(encoding="utf-8"), path.parent)


def read_source(source: SourceText | Path | str) -> SourceText:
    """The text of a file. Raises GraphError (`unreadable-file`) if it cannot be read."""
    if isinstance(source, SourceText):
        return source
    path = Path(source)
    try:
        return from_file(path)
    except (OSError, UnicodeDecodeError) as error:
        reason = "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else error.strerror
        message = f"{path} cannot be read: {reason}"
        raise GraphError([diagnostic("E005", message, Span(str(path), 1, 1, 1, 1))]) from None
