"""The context of a run: folders, device, precision, and the keeper of loaded models."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from nodegraph.base.paths import Sandbox, expanded, models_folder
from nodegraph.library.port import Precision
from nodegraph.models.residency import Residency

MAX_MEGAPIXELS = 64.0


@dataclass(frozen=True, slots=True)
class RunContext:
    """What a run gives to its literals. `within` moves it to the folder of another graph file.

    `models`: the folder of fetched models. `provenance`: the text chunks of the pictures that the run writes.
    """

    sandbox: Sandbox
    folder: Path = field(default_factory=Path)
    device: str = "cpu"
    precision: Precision = "float32"
    abstract: bool = False
    compiled: bool = False
    max_megapixels: float = MAX_MEGAPIXELS
    residency: Residency = field(default_factory=Residency)
    models: Path = field(default_factory=models_folder)
    provenance: Callable[[], Mapping[str, str]] = dict[str, str]

    def within(self, folder: Path | None) -> "RunContext":
        """The context for literals of a file in `folder`."""
        return self if folder is None or folder == self.folder else replace(self, folder=folder)

    def readable(self, path: str) -> Path:
        """The real path of a literal. Raises Outside, FileNotFoundError, NoFile, or ValueError for what can be no path."""
        if not path:
            raise ValueError("an empty text names no file")
        given = expanded(path)
        return self.sandbox.reading(given if given.is_absolute() else self.folder / given)

    def writable(self, path: str) -> Path:
        """The real path below the output folder. Raises Outside."""
        return self.sandbox.writing(path)
