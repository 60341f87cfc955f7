"""Models by name, or in a folder: configuration, digest and files, before anything is made of them. Imports no torch.

Models of our own layout are read at every start; what only others need is imported for them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nodegraph.base.diagnostics import nearest
from nodegraph.base.framing import digest
from nodegraph.base.paths import Outside
from nodegraph.library.port import Context
from nodes.checkpoints.catalogue import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    find_part,
    model_names,
    shipped_folder,
)
from nodes.checkpoints.entries import (
    OURS,
    Entry,
    Part,
    folder_entry,
    inside,
    model_files,
    name_of,
)
from nodes.checkpoints.files import content_digest, file_digest
from nodes.checkpoints.foreign import foreign_kinds
from nodes.checkpoints.open_clip import NamedClip, named_clip, open_clip_config
from nodes.checkpoints.open_clip_table import tag_of_file
from nodes.checkpoints.weights import CONFIGURATIONS, read_config, weights_digest

Found = tuple[Part, tuple[Path, ...], tuple[Path, ...]]
"""A part of a folder, the files of its weights, and other files on which what it makes depends."""
Readable = Callable[[str], Path]
"""Gives the real path of a file or folder that a graph may read, and raises for others."""


@dataclass(frozen=True, slots=True)
class Named:
    """A model that a name stands for: what its handle is made of. `place`: where its configuration stands, for people.

    `download`: bytes of the files that are not here. `remote`: the name of a CLIP that open_clip fetches. `options`: those of
    its layout, where that is not our own.
    """

    name: str
    config: Any
    digest: str
    files: tuple[Path, ...]
    place: Path | str
    layout: str = OURS
    download: int = 0
    remote: NamedClip | None = None
    options: Mapping[str, Any] | None = None


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
    found = _in_bundle(kind, name, readable)
    return _own(kind, name, readable) if found is None else found


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


def _in_bundle(kind: str, name: str, readable: Readable) -> Named | None:
    """A part of a folder that was pushed, or is in another layout (diffusers', Karlo's own); or None."""
    try:
        folder = readable(str(Path(name).parent))
    except (FileNotFoundError, Outside):
        return None
    entry, part = folder_entry(folder), Path(name).name
    if entry is not None:
        found = _described(folder, entry, part)
    elif part in (foreign_kinds(folder) or {}):
        from nodes.checkpoints.folders import foreign_part

        found = foreign_part(folder, part)
    else:
        return None
    return None if found is None else _in_place(kind, folder / part, name, *found)


def _described(folder: Path, entry: Entry, name: str) -> Found | None:
    """A part of a bundle that its own folder describes; None where there is none of that name."""
    part = entry.parts.get(name)
    if part is None:
        return None
    files, words = (
        tuple(folder / inside(file.url) for file in of) for of in (part.files, part.vocabulary)
    )
    return _reading(part, words), files, words


def _reading(part: Part, vocabulary: tuple[Path, ...]) -> Part:
    """A part whose tokenizer reads the files of its vocabulary, if it has one."""
    if not vocabulary:
        return part
    return replace(part, options={**(part.options or {}), "vocabulary": str(vocabulary[0].parent)})


def _in_place(
    kind: str,
    place: Path,
    name: str,
    part: Part,
    files: tuple[Path, ...],
    others: tuple[Path, ...],
) -> Named:
    """A part of a folder, of which files may be missing; on `others` depends what it makes, too."""
    title = f"{place.parent.name}/{place.name}"
    config = _config(kind, part, str(place), name)
    digests = [
        file_digest(file) if file.exists() else f"absent:{title}/{file.name}"
        for file in (*files, *others)
    ]
    digest = _one_digest(digests)
    return Named(title, config, digest, files, place, part.layout, options=part.options)


def _published(kind: str, name: str, part: Part) -> Named:
    """A model of the catalogue, whether its files are here or not. Raises ValueError for another kind."""
    place = f"'{name}' of the catalogue"
    files = model_files(name, part)
    words = tuple(file.kept or file.place for file in files if not file.weights)
    config = _config(kind, _reading(part, words), place, name)
    digests = [
        content_digest(file.kept) if file.kept else file.sha256 or f"absent:{name}"
        for file in files
    ]
    paths = tuple(file.kept or file.place for file in files if file.weights)
    absent = sum(file.size for file in files if not file.kept)
    digest = _one_digest(digests)
    return Named(name, config, digest, paths, place, part.layout, absent, options=part.options)


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
