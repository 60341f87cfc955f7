"""The text of a graph, wherever it comes from: a file, the chunks of a picture, a string."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nodegraph.errors import GraphError, diagnostic


@dataclass(frozen=True, slots=True)
class SourceText:
    """A graph that may lie in no file: its text, the folder its paths are relative to, and its subgraphs by name."""

    name: str
    text: str
    folder: Path | None = None
    siblings: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def identity(self) -> str:
        """What tells one graph file from another, however it is named."""
        return str(((self.folder or Path()) / Path(self.name).name).resolve())

    def beside(self, name: str) -> "SourceText":
        """The graph that a node type names, relative to this one. Raises OSError or UnicodeDecodeError if it cannot be read."""
        short = Path(name).name
        if short in self.siblings:
            return SourceText(short, self.siblings[short], self.folder, self.siblings)
        return from_file((self.folder or Path()) / name)


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
        raise GraphError([diagnostic("E005", f"{path} cannot be read: {reason}")]) from None
