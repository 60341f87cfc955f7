"""Getting and adding the weights of models of the catalogue: files come whole and checked, or not at all."""

import importlib
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from filelock import FileLock, Timeout

from nodegraph.base.diagnostics import nearest
from nodegraph.base.paths import is_file, real_path
from nodegraph.models.catalogue import HUB, Listing, ModelFile, enclosed, keep, noted_origins
from nodegraph.models.download import (
    FULL,
    DownloadError,
    Remote,
    checked,
    discard,
    fetch,
    no_space,
    sha256_of,
)

if TYPE_CHECKING:
    from nodegraph.models.hub import HubFile

Progress = Callable[[int, int | None], None]
"""Told the bytes that are here, and of how many, if that is known."""


class NoModel(ValueError):
    """A name that is no model of the catalogue, or none that can be fetched or added."""


class NotKept(OSError):
    """A file that was not kept; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Added:
    """Where an added file lies; `published`: whether it is, byte for byte, the published one, or None if that is unknown."""

    place: Path
    published: bool | None


def find(name: str, rows: list[Listing]) -> tuple[Listing, list[ModelFile]]:
    """The bundle of a name (`openai/glide`, `openai/glide/base`) and the files that it stands for. Raises NoModel."""
    for row in rows:
        files = [file for file in row.files if name in (row.name, file.model)]
        if files and sum(other.name == row.name for other in rows) > 1:
            mend = "rename one of them, or uninstall it"
            raise NoModel(f"two catalogues have a bundle '{row.name}'; {mend}")
        if files:
            return row, files
        if name == row.name or name in (f"{row.name}/{part}" for part in row.here):
            raise NoModel(f"'{name}' is shipped with the program: there is nothing to fetch")
    known = [known for row in rows for known in (row.name, *models_of(row))]
    hint = nearest(name, known) or "`nodegraph models` lists them"
    raise NoModel(f"no model of the catalogue is named '{name}'; {hint}")


def models_of(listing: Listing) -> list[str]:
    """Names of the models of a bundle that have files to fetch, in order, without repetition."""
    return list(dict.fromkeys(file.model for file in listing.files))


def get(listing: Listing, file: ModelFile, progress: Progress, here: Path | None = None) -> Path:
    """Fetch a published file into its place; a broken transfer goes on where it stopped. `here`: where it lies on this machine.

    Raises NotKept where it does not arrive, or is not what the catalogue takes it for.
    """
    partial = _partial(file.place)
    with _locked(file.place), _explained(file, partial):
        if here is None:
            origin, digest = _fetched(listing, file, partial, progress)
        else:
            origin, digest = _copied(file, partial, here, progress)
        try:
            _check(listing, file, partial)
        except ValueError as error:
            discard(partial)
            message = f"what {file.url} sends is refused, nothing was kept: {error}"
            raise NotKept(message) from error
        keep(partial, file.place, digest, origin)
        discard(partial)
    return file.place


def add(path: Path, name: str, rows: list[Listing], link: bool = False) -> Added:
    """Take a file as the weights of a model, if all its keys and shapes are that model's; copied, or linked to.

    Raises NoModel for a name that is none or a bundle's, NotKept for a file that is not that model.
    """
    listing, files = find(name, rows)
    if any(file.model != name for file in files):
        parts = ", ".join(models_of(listing))
        raise NoModel(f"'{name}' is a bundle; say which part it is: {parts}")
    if not is_file(path):
        raise NotKept(f"there is no file '{path}'")
    try:
        kept = _checker(listing)(name, path)
    except (ValueError, OSError) as error:
        raise NotKept(str(error)) from error
    file = next(f for f in files if Path(f.name).stem == Path(kept).stem)
    target = file.place.with_name(kept)
    partial = _partial(target)
    with _locked(target), _explained(file, partial):
        _bring(path, partial, link)
        digest = sha256_of(partial)
        keep(partial, target, digest, "added")
    return Added(target, digest == file.sha256 if file.sha256 else None)


def _fetched(
    listing: Listing, file: ModelFile, partial: Path, progress: Progress
) -> tuple[str, str]:
    """Bring a file to `partial`, from the Hub by its own client: where it is from, with the commit, and its sha256."""
    size = file.size if file.size_known else None
    remote = Remote(file.url, file.sha256, size, file.size)
    if not file.url.startswith(HUB):
        return file.url, fetch(remote, partial, progress)
    from nodegraph.models.hub import fetch_from_hub, hub_file, listed

    found = listed(_as_before(listing, hub_file(file.url)))
    fetch_from_hub(found, partial, progress)
    said = Remote(found.url, file.sha256 or found.sha256, size or found.size, file.size)
    return found.url, checked(said, partial)


def _copied(file: ModelFile, partial: Path, here: Path, progress: Progress) -> tuple[str, str]:
    """Bring a file that is on this machine to `partial`: where it is from, and its sha256."""
    _bring(here, partial, False)
    size = partial.stat().st_size
    progress(size, size)
    known = file.size if file.size_known else None
    return file.url, checked(Remote(file.url, file.sha256, known), partial)


def _as_before(listing: Listing, file: "HubFile") -> "HubFile":
    """A file of no given commit at that of the repository's files that are here already: a bundle is of one commit."""
    from nodegraph.models.hub import MAIN, hub_file

    known = f"{HUB}{file.repository}@"
    if file.revision != MAIN:
        return file
    here = (hub_file(o) for o in noted_origins(listing.name) if o.startswith(known))
    return replace(file, revision=next((f.revision for f in here if f.fixed), MAIN))


def _check(listing: Listing, file: ModelFile, path: Path) -> None:
    """Raise ValueError unless the file is what the catalogue takes it for. What is no file of weights has a digest."""
    if not file.weights:
        return
    found = _checker(listing)(file.model, path)
    if Path(found).stem != Path(file.name).stem:
        raise ValueError(f"it is {found}, not {file.name}")


def _checker(listing: Listing) -> Callable[[str, Path], str]:
    module, _, function = listing.check.partition(":")
    return cast("Callable[[str, Path], str]", getattr(importlib.import_module(module), function))


def _bring(path: Path, partial: Path, link: bool) -> None:
    partial.unlink(missing_ok=True)
    if link:
        partial.symlink_to(real_path(path))
    else:
        shutil.copyfile(path, partial)


def _partial(target: Path) -> Path:
    return target.with_name(target.name + ".part")


@contextmanager
def _locked(target: Path) -> Generator[None, None, None]:
    """One process at a time writes a model. Raises NotKept."""
    try:
        enclosed(target).parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(target.parent / ".lock").acquire(timeout=0)
    except ValueError as error:
        raise NotKept(str(error)) from None
    except Timeout:
        message = f"another process is writing to {target.parent}; run again when it has finished"
        raise NotKept(message) from None
    except OSError as error:
        message = f"{target.parent} cannot be written: {error.strerror or error}"
        raise NotKept(message) from None
    with lock:
        yield


@contextmanager
def _explained(file: ModelFile, partial: Path) -> Generator[None, None, None]:
    """What went wrong with a file, in one message with the mend."""
    try:
        yield
    except DownloadError as error:
        have = f"if you have the file already: `nodegraph models add FILE --as {file.model}`"
        raise NotKept(f"{error}\n{have}") from error
    except OSError as error:
        if isinstance(error, NotKept):
            raise
        if error.errno in FULL:
            discard(partial)
            raise NotKept(no_space(partial, "nothing was kept")) from error
        message = f"{file.place.parent} cannot be written: {error.strerror or error}"
        raise NotKept(message) from error
