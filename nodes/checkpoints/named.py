"""Models by name, or in a folder: configuration, digest and files, before anything is made of them. Imports no torch.

Models of our own layout are read at every start; what only others need is imported for them.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nodegraph.base.diagnostics import nearest
from nodegraph.base.framing import digest
from nodegraph.base.paths import Outside
from nodegraph.library.port import Context
from nodes.checkpoints.catalogue import (
    CONFIG_FILE,
    OURS,
    WEIGHTS_FILE,
    Part,
    find_part,
    model_files,
    model_names,
    name_of,
    shipped_folder,
)
from nodes.checkpoints.files import content_digest, file_digest
from nodes.checkpoints.foreign import foreign_kinds
from nodes.checkpoints.open_clip import NamedClip, named_clip, open_clip_config
from nodes.checkpoints.open_clip_table import tag_of_file
from nodes.checkpoints.weights import CONFIGURATIONS, read_config, weights_digest

Readable = Callable[[str], Path]
"""Gives the real path of a file or folder that a graph may read, and raises for others."""


@dataclass(frozen=True, slots=True)
class Named:
    """A model that a name stands for: what its handle is made of. `place`: where its configuration stands, for people.

    `download`: bytes of the files that are not here. `remote`: the name of a CLIP that open_clip fetches.
    """

    name: str
    config: Any
    digest: str
    files: tuple[Path, ...]
    place: Path | str
    layout: str = OURS
    download: int = 0
    remote: NamedClip | None = None


def model_identity(kind: str, weights: str, layout: str, config: Any) -> str:
    """What tells a model of a kind from all others: its weights, by their digest, and what is made of them.

    Pictures record it, and so the kind goes by the name that files have for it.
    """
    return digest(name_of(kind), weights, layout, config)


def identified(kind: str, literal: Any, context: Context) -> str:
    """The identity of the model that a literal names. Raises as `named_model` does."""
    found = named_model(kind, str(literal), context.readable)
    return model_identity(kind, found.digest, found.layout, found.config)


def named_model(kind: str, name: str, readable: Readable) -> Named:
    """A model of a kind by a catalogue name (`shapes/glide/base`), by a name of open_clip, or of a folder with a `config.json`.

    Raises ValueError for a name that is not known or whose weights were not installed, or a model of another kind.
    """
    clip = named_clip(name) if kind == "Clip" else None
    if clip is not None:
        return _open_clip(clip, name, readable)
    shipped = shipped_folder(name)
    if shipped is not None:
        return in_folder(kind, shipped, name)
    part = find_part(name)
    if part is not None:
        if not part.files:
            raise ValueError(f"the weights of '{name}' are not in this installation")
        return _published(kind, name, part)
    return _foreign(kind, name, readable) or _own(kind, name, readable)


def in_folder(kind: str, folder: Path, name: str = "") -> Named:
    """The model in a folder of our own layout. Raises BadConfig."""
    config = read_config(folder, CONFIGURATIONS[kind][0])
    files, place = (folder / WEIGHTS_FILE,), folder / CONFIG_FILE
    return Named(name or folder.name, config, weights_digest(folder), files, place)


def _own(kind: str, name: str, readable: Readable) -> Named:
    try:
        folder = readable(name)
    except FileNotFoundError as error:
        hint = nearest(name, model_names()) or "`nodegraph models` lists them"
        raise FileNotFoundError(f"{error}, nor a model of that name; {hint}") from None
    if not (folder / CONFIG_FILE).exists():
        raise ValueError(
            f"'{name}' is no model: neither a name of the catalogue nor a folder with {CONFIG_FILE}"
        )
    return in_folder(kind, folder)


def _foreign(kind: str, name: str, readable: Readable) -> Named | None:
    """A part of a folder in another layout (diffusers', Karlo's own), or None."""
    try:
        folder = readable(str(Path(name).parent))
    except (FileNotFoundError, Outside):
        return None
    if Path(name).name not in (foreign_kinds(folder) or {}):
        return None
    from nodes.checkpoints.folders import foreign_part

    found = foreign_part(folder, Path(name).name)
    if found is None:
        return None
    part, files, others = found
    title, place = f"{folder.name}/{Path(name).name}", folder / Path(name).name
    config = _config(kind, part, str(place), name)
    digests = [
        file_digest(file) if file.exists() else f"absent:{title}/{file.name}"
        for file in (*files, *others)
    ]
    return Named(title, config, _one_digest(digests), files, place, part.layout)


def _published(kind: str, name: str, part: Part) -> Named:
    """A model of the catalogue, whether its files are here or not. Raises ValueError for another kind."""
    place = f"'{name}' of the catalogue"
    config = _config(kind, part, place, name)
    files = model_files(name, part)
    digests = [
        content_digest(file.kept) if file.kept else file.sha256 or f"absent:{name}"
        for file in files
    ]
    paths = tuple(file.kept or file.place for file in files)
    absent = sum(file.size for file in files if not file.kept)
    return Named(name, config, _one_digest(digests), paths, place, part.layout, absent)


def _config(kind: str, part: Part, place: str, name: str) -> Any:
    """The configuration of a part. Raises ValueError naming the place, or the model that is of another kind."""
    from nodes.checkpoints.configs import published_config

    try:
        config = published_config(part)
    except ValueError as error:
        raise type(error)(f"{place}: {error}") from None
    if not isinstance(config, CONFIGURATIONS[kind]):
        raise ValueError(f"'{name}' is a {part.kind}, not a {kind}")
    return config


def _open_clip(found: NamedClip, name: str, readable: Readable) -> Named:
    """A CLIP of open_clip. A file that was published under a tag, which its digest tells, is that CLIP."""
    if not found.is_file:
        config = open_clip_config(found.architecture, found.space, found.pretrained)
        return Named(name, config, name, (), name, remote=found)
    path = readable(found.pretrained)
    content = content_digest(path)
    tag = tag_of_file(found.architecture, content)
    space = content if tag is None else replace(found, pretrained=tag).space
    config = open_clip_config(found.architecture, space, tag)
    return Named(path.stem, config, content, (path,), path, layout="open_clip")


def _one_digest(digests: list[str]) -> str:
    """The digest of a model of one file is the file's."""
    return digests[0] if len(digests) == 1 else digest(*digests)
