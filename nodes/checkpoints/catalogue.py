"""The catalogue of models: names, parts, licence and where they lie. Imports no torch, so that a type check can use it.

A *bundle* is a family of models that belong together (`shapes/glide`), its parts are named `shapes/glide/base`.
A folder with the same layout (one sub-folder for each part) serves as a bundle too. Bundles of one's own, or other
addresses for the published ones, stand in a `catalogue.json` in the folder of models, written like the one beside this file.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from nodegraph.base.diagnostics import meant, nearest
from nodegraph.base.paths import models_folder, read_json, real_path
from nodegraph.models.catalogue import CATALOGUE, Listing, ModelFile
from nodes.checkpoints.entries import (
    Entry,
    Part,
    folder_entry,
    kind_of,
    known,
    model_files,
)
from nodes.checkpoints.foreign import foreign_kinds

SHIPPED = Path(__file__).parents[1] / "shapes" / "weights"
PUBLISHED = Path(__file__).with_name(CATALOGUE)
CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
CHECK = "nodes.checkpoints.verify:identified"
PUSH = "nodes.checkpoints.publishing.bundle:push"
TAKE = "nodes.checkpoints.publishing.taking:taken"


class UnknownModel(ValueError):
    """A model name that is neither in the catalogue nor a folder; `hint` names one that is near."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message, hint)
        self.hint = hint

    def __str__(self) -> str:
        return str(self.args[0])


def entries() -> dict[str, Entry]:
    """The catalogue, by bundle name: the package's, then the user's own, which wins. Raises BadCatalogue."""
    own = models_folder() / CATALOGUE
    return {**known(PUBLISHED), **(known(own) if own.exists() else {})}


def find_part(name: str) -> Part | None:
    """The part of a name such as `openai/glide/base`, or None."""
    bundle, _, part = name.rpartition("/")
    entry = entries().get(bundle)
    return entry.parts.get(part) if entry else None


def part_kinds(bundle: str, readable: Callable[[str], Path] = Path) -> dict[str, str]:
    """Port types of a bundle's parts: `{"base": "UNet", …}`; `readable` gives the place of a folder.

    Raises UnknownModel, ValueError for a file that cannot be read, what `readable` raises.
    """
    named = entries()
    if bundle in named:
        return {name: part.kind for name, part in named[bundle].parts.items()}
    with suppress(FileNotFoundError):
        folder = readable(bundle)
        if folder.is_dir():
            return _kinds_in(folder)
    near = meant(nearest(bundle, named))
    beside = f"; the nearest is '{near}'" if near else ""
    message = f"'{bundle}' is neither in the catalogue nor a folder"
    raise UnknownModel(message, f"`nodegraph models` lists the catalogue{beside}")


def _kinds_in(folder: Path) -> dict[str, str]:
    described = folder_entry(folder)
    if described is not None:
        return {name: part.kind for name, part in described.parts.items()}
    foreign = foreign_kinds(folder)
    if foreign is not None:
        return foreign
    configs = sorted(folder.glob(f"*/{CONFIG_FILE}"))
    return {config.parent.name: _kind(config) for config in configs}


def _kind(config: Path) -> str:
    kind = read_json(config).get("kind", "UNet")
    if not isinstance(kind, str):
        raise ValueError(f"{config}: 'kind' is the name of a kind of models, not {kind!r:.80}")
    return kind_of(kind)


def shipped_folder(name: str) -> Path | None:
    """Folder of a shipped part (`shapes/glide/base`), or None when its weights are not in this installation."""
    family, _, rest = name.partition("/")
    if family != "shapes":
        return None
    folder = real_path(SHIPPED / rest)
    inside = folder.is_relative_to(real_path(SHIPPED))
    return folder if inside and (folder / CONFIG_FILE).exists() else None


def listing() -> list[Listing]:
    """The catalogue for people and for downloads, with the parts whose weights are here. Raises BadCatalogue."""
    return [listing_of(entry) for entry in entries().values()]


def model_names() -> list[str]:
    """Names of all models of the catalogue. Raises BadCatalogue."""
    return [f"{entry.name}/{part}" for entry in entries().values() for part in entry.parts]


def listing_of(entry: Entry) -> Listing:
    """A bundle for people and for downloads."""
    files = {part: model_files(f"{entry.name}/{part}", entry.parts[part]) for part in entry.parts}
    every = tuple(file for of_part in files.values() for file in of_part)
    here = tuple(part for part in entry.parts if _is_here(f"{entry.name}/{part}", files[part]))
    size = sum(_shipped_size(f"{entry.name}/{part}") for part in entry.parts)
    return Listing(
        entry.name,
        tuple(entry.parts),
        entry.licence,
        size + sum(file.size for file in every),
        here,
        entry.source,
        entry.card,
        entry.card_url,
        entry.terms,
        every,
        CHECK,
        entry.year,
        PUSH,
        TAKE,
    )


def _is_here(name: str, files: tuple[ModelFile, ...]) -> bool:
    return all(file.kept for file in files) if files else shipped_folder(name) is not None


def _shipped_size(name: str) -> int:
    folder = shipped_folder(name)
    path = None if folder is None else folder / WEIGHTS_FILE
    return path.stat().st_size if path and path.exists() else 0
