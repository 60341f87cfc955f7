"""`nodegraph models`, `nodegraph models get` and `nodegraph models add`."""

import importlib
import shutil
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, NoReturn, cast

import typer
from filelock import FileLock, Timeout
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from nodegraph.cli.console import (
    FAILED,
    USAGE,
    add_row,
    errors,
    fail,
    print_json,
    results,
    stopped,
    warn,
)
from nodegraph.download import (
    FULL,
    DownloadError,
    Remote,
    checked,
    discard,
    fetch,
    no_space,
    sha256_of,
)
from nodegraph.errors import nearest
from nodegraph.models import (
    HUB,
    Listing,
    ModelFile,
    accept,
    accepted,
    enclosed,
    keep,
    listings,
)
from nodegraph.paths import is_file, real_path
from nodegraph.visible import visible_line

app = typer.Typer(help="The catalogue of models; fetch one, or add a file.")
MIB = 2**20


@app.callback(invoke_without_command=True)
def models(
    context: typer.Context,
    as_json: Annotated[
        bool, typer.Option("--json", help="The catalogue on standard output.")
    ] = False,
) -> None:
    """The catalogue of models: parts, licence, size, and whether the weights are here."""
    if context.invoked_subcommand is not None:
        return
    rows = _listings()
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    table = Table("model", "parts", "licence", "size", "here", "", box=None, pad_edge=False)
    for row in rows:
        here = "all" if set(row.here) == set(row.parts) else ", ".join(row.here) or "no"
        about = 0 if all(file.size_known for file in row.files) else 1
        size = f"{'about ' * about}{row.size / MIB:,.0f} MiB"
        terms = ", terms" if row.terms else ""
        add_row(table, row.name, ", ".join(row.parts), row.licence + terms, size, here, row.card)
    results.print(table)


@app.command("get")
def get(
    name: Annotated[str, typer.Argument(help="A model (openai/glide/base), or a whole bundle.")],
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="Accept terms of use without being asked.")
    ] = False,
) -> None:
    """Fetch a model of the catalogue into the folder of models; a broken transfer goes on where it stopped."""
    listing, files = _found(name)
    absent = [file for file in files if file.kept is None]
    for file in files:
        if file.kept is not None:
            errors.print(f"{file.model}: {file.kept} is here")
    if absent:
        card = f"; model card: {listing.card_url}" if listing.card_url else ""
        errors.print(f"licence {listing.licence}{card}")
        _agreed(listing, accept_licence)
    for file in absent:
        _get(listing, file)


@app.command("add")
def add(
    path: Annotated[
        Path, typer.Argument(metavar="FILE", help="A file that you have: .pt or .safetensors.")
    ],
    name: Annotated[str, typer.Option("--as", help="The model that it is: openai/glide/base.")],
    link: Annotated[bool, typer.Option("--link", help="Link to the file, do not copy it.")] = False,
) -> None:
    """Take a file as the weights of a model of the catalogue, if all its keys and shapes are that model's."""
    listing, files = _found(name)
    if any(file.model != name for file in files):
        fail(f"'{name}' is a bundle; say which part it is: {', '.join(_models(listing))}", USAGE)
    if not is_file(path):
        fail(f"there is no file '{path}'")
    kept = _identified(listing, name, path)
    file = next(f for f in files if Path(f.name).stem == Path(kept).stem)
    target = file.place.with_name(kept)
    partial = _partial(target)
    with _locked(target), _explained(file, partial):
        _bring(path, partial, link)
        digest = sha256_of(partial)
        keep(partial, target, digest, "added")
    note = ""
    if file.sha256 and digest != file.sha256:
        note = (
            "; another file than the published one (its sha256 differs), though keys and shapes fit"
        )
    errors.print(f"{name}: {target}{note}")


def _listings() -> list[Listing]:
    rows, broken = listings()
    for found in broken:
        warn(str(found))
    if broken and not rows:
        raise typer.Exit(FAILED)
    return rows


def _models(listing: Listing) -> list[str]:
    """Names of the models of a bundle that have files to fetch, in order, without repetition."""
    return list(dict.fromkeys(file.model for file in listing.files))


def _found(name: str) -> tuple[Listing, list[ModelFile]]:
    """The bundle of a name and the files that it stands for; a name without any ends the program."""
    rows = _listings()
    for row in rows:
        files = [file for file in row.files if name in (row.name, file.model)]
        if files and sum(other.name == row.name for other in rows) > 1:
            fail(f"two catalogues have a bundle '{row.name}'; rename one of them, or uninstall it")
        if files:
            return row, files
        if name == row.name or name in (f"{row.name}/{part}" for part in row.here):
            fail(f"'{name}' is shipped with the program: there is nothing to fetch", USAGE)
    return _unknown(name, rows)


def _unknown(name: str, rows: list[Listing]) -> NoReturn:
    known = [known for row in rows for known in (row.name, *_models(row))]
    hint = nearest(name, known) or "`nodegraph models` lists them"
    fail(f"no model of the catalogue is named '{name}'; {hint}", USAGE)


def _agreed(listing: Listing, given: bool) -> None:
    """Show the terms of a bundle and ask once; without an answer the program ends."""
    if accepted(listing):
        return
    errors.print(f"{listing.name} is under {listing.licence}:\n{listing.terms}")
    if not given and not sys.stdin.isatty():
        fail("read the terms, and if you accept them, run again with --accept-licence")
    if not given and not typer.confirm("Do you accept them?", err=True):
        fail("not accepted; nothing was fetched")
    accept(listing)


def _get(listing: Listing, file: ModelFile) -> None:
    partial = _partial(file.place)
    with _locked(file.place), _explained(file, partial):
        with _bar(file) as progress:
            digest = _fetched(file, partial, progress)
        try:
            _check(listing, file, partial)
        except ValueError as error:
            discard(partial)
            fail(f"what {file.url} sends is refused, nothing was kept: {error}")
        keep(partial, file.place, digest, file.url)
        discard(partial)
    known = "its digest and" if file.sha256 else "no digest is published;"
    errors.print(f"{file.model}: {file.place} ({known} its contents were checked)")


def _fetched(file: ModelFile, partial: Path, progress: Callable[[int, int | None], None]) -> str:
    """Bring a file to `partial`, from the Hub by its own client; its sha256."""
    remote = Remote(file.url, file.sha256, file.size if file.size_known else None, file.size)
    if file.url.startswith(HUB):
        from nodegraph.hub import fetch_from_hub

        fetch_from_hub(file.url, partial, progress)
        return checked(remote, partial)
    return fetch(remote, partial, progress)


def _check(listing: Listing, file: ModelFile, path: Path) -> None:
    """Raise ValueError unless the file is what the catalogue takes it for."""
    found = _checker(listing)(file.model, path)
    if Path(found).stem != Path(file.name).stem:
        raise ValueError(f"it is {found}, not {file.name}")


def _identified(listing: Listing, name: str, path: Path) -> str:
    try:
        return _checker(listing)(name, path)
    except (ValueError, OSError) as error:
        fail(str(error))


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
    """One process at a time writes a model."""
    try:
        enclosed(target).parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.parent / ".lock", timeout=0):
            yield
    except ValueError as error:
        fail(str(error))
    except Timeout:
        fail(f"another process is writing to {target.parent}; run again when it has finished")
    except OSError as error:
        fail(f"{target.parent} cannot be written: {error.strerror or error}")


@contextmanager
def _explained(file: ModelFile, partial: Path) -> Generator[None, None, None]:
    """What went wrong with a file, in one message with the mend; the program ends."""
    try:
        yield
    except DownloadError as error:
        fail(
            f"{error}\nif you have the file already: `nodegraph models add FILE --as {file.model}`"
        )
    except OSError as error:
        if error.errno not in FULL:
            raise
        discard(partial)
        fail(no_space(partial, "nothing was kept"))
    except KeyboardInterrupt as signal:
        stopped(
            "stopped; what has arrived is kept, and the same command goes on from there", signal
        )


@contextmanager
def _bar(file: ModelFile) -> Generator[Callable[[int, int | None], None], None, None]:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=errors) as progress:
        task = progress.add_task(visible_line(f"{file.model} {file.name}"), total=file.size)

        def show(done: int, total: int | None) -> None:
            progress.update(task, completed=done, total=total)

        yield show
