"""The parts of a bundle that is to be pushed, and how each is to lie in its folder."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nodegraph.base.paths import is_folder, real_path
from nodes.checkpoints.catalogue import CONFIG_FILE, entries, part_kinds
from nodes.checkpoints.entries import OURS, Entry, folder_entry
from nodes.checkpoints.files import shards
from nodes.checkpoints.named import Named, named_model
from nodes.checkpoints.publishing.saying import Said, said
from nodes.checkpoints.weights import about

if TYPE_CHECKING:
    from torch import Tensor

FIRST, LAST = "super_res_first", "super_res_last"
_WRITTEN = ("diffusers", "transformers")
"""Layouts of several files in places of their own, which are written anew also from themselves."""


@dataclass(frozen=True, slots=True)
class Source:
    """A part of a bundle: its model, and the layout that it is to have. `why`: what another layout than ours lacks."""

    name: str
    kind: str
    model: Named
    said: Said | None
    why: str = ""

    @property
    def layout(self) -> str:
        return self.said.layout if self.said else OURS

    @property
    def kept(self) -> bool:
        """Whether its files are copied as they are."""
        return self.model.layout == self.layout and not self.layout.startswith(_WRITTEN)

    @property
    def card(self) -> str:
        """What was noted of it when it was packaged."""
        folder = self.model.files[0].parent
        return str(about(folder).get("card", "")) if self.model.layout == OURS else ""

    def weights(self) -> "dict[str, Tensor]":
        """Its weights under our names, as they are kept."""
        from nodes.checkpoints.layouts import ours
        from nodes.checkpoints.reading import read_weights

        files = [dict(read_weights(file)) for file in self.model.files]
        return ours(self.model.layout, files, self.model.config)


def sources(bundle: str, rest: str = "") -> tuple[Source, ...]:
    """The parts of a bundle, by a name of the catalogue or a folder, with those of `rest` that it has not.

    Raises ValueError or OSError for what is no bundle, or whose weights are not here.
    """
    kinds = {name: (kind, of) for of in (rest, bundle) if of for name, kind in _kinds(of).items()}
    found = {
        name: _source(name, kind, named_model(kind, f"{of}/{name}", _readable))
        for name, (kind, of) in kinds.items()
    }
    return tuple(_of_one_chain(found).values())


def described(bundle: str) -> Entry | None:
    """What the catalogue, or its own folder, says of a bundle; None where neither does."""
    folder = Path(bundle).expanduser()
    return entries().get(bundle) or (folder_entry(folder) if is_folder(folder) else None)


def _readable(place: str) -> Path:
    """Who pushes reads what they name. Raises FileNotFoundError."""
    path = real_path(Path(place).expanduser())
    if not path.exists():
        raise FileNotFoundError(f"there is no file '{place}'")
    return path


def _kinds(bundle: str) -> dict[str, str]:
    found = part_kinds(bundle, _readable)
    if not found and (_readable(bundle) / CONFIG_FILE).exists():
        raise ValueError(f"'{bundle}' is one model; name the folder in which it lies with others")
    if not found:
        raise ValueError(
            f"'{bundle}' holds no models: a bundle is a folder with a folder for each of them"
        )
    return found


def _source(name: str, kind: str, model: Named) -> Source:
    absent = next(_absent(model), None)
    if absent is not None:
        get = f"; `nodegraph models get {model.name}` fetches it" if model.download else ""
        raise FileNotFoundError(f"the weights of '{name}' are not here: there is no {absent}{get}")
    if model.layout != OURS and not model.layout.startswith(_WRITTEN):
        return Source(name, kind, model, Said(model.layout, model.options or {}))
    found = said(name, kind, model.config)
    if isinstance(found, Said):
        return Source(name, kind, model, found)
    return Source(name, kind, model, None, found.why)


def _absent(model: Named) -> Iterator[Path]:
    for file in model.files:
        named = shards(file) if file.exists() else [file]
        yield from (part for part in named if not part.is_file())


def _of_one_chain(found: Mapping[str, Source]) -> dict[str, Source]:
    """Both networks of super-resolution have one scheduler and one size in diffusers; where they have not, the last is ours."""
    first, last = (_scheduled(found.get(name)) for name in (FIRST, LAST))
    if None in (first, last) or first == last:
        return dict(found)
    of = found[LAST]
    why = f"a pipeline of diffusers has one chain and one size for it and {FIRST}"
    return {**found, LAST: Source(of.name, of.kind, of.model, None, why)}


def _scheduled(source: Source | None) -> tuple[Any, ...] | None:
    if source is None or source.layout != "diffusers_super_resolution" or source.said is None:
        return None
    options = source.said.options
    return options["scheduler"], options["image_size"], options.get("chain")
