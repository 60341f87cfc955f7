"""`nodegraph models`, `nodegraph models get` and `nodegraph models add`."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from nodegraph.base.visible import visible_line
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
from nodegraph.models import store
from nodegraph.models.catalogue import Listing, ModelFile, accept, accepted, listings

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
        with _refusing(), _bar(file) as progress:
            store.get(listing, file, progress)
        known = "its digest and" if file.sha256 else "no digest is published;"
        errors.print(f"{file.model}: {file.place} ({known} its contents were checked)")


@app.command("add")
def add(
    path: Annotated[
        Path, typer.Argument(metavar="FILE", help="A file that you have: .pt or .safetensors.")
    ],
    name: Annotated[str, typer.Option("--as", help="The model that it is: openai/glide/base.")],
    link: Annotated[bool, typer.Option("--link", help="Link to the file, do not copy it.")] = False,
) -> None:
    """Take a file as the weights of a model of the catalogue, if all its keys and shapes are that model's."""
    with _refusing():
        added = store.add(path, name, _listings(), link)
    note = ""
    if added.published is False:
        note = (
            "; another file than the published one (its sha256 differs), though keys and shapes fit"
        )
    errors.print(f"{name}: {added.place}{note}")


def _listings() -> list[Listing]:
    rows, broken = listings()
    for found in broken:
        warn(str(found))
    if broken and not rows:
        raise typer.Exit(FAILED)
    return rows


def _found(name: str) -> tuple[Listing, list[ModelFile]]:
    with _refusing():
        return store.find(name, _listings())


@contextmanager
def _refusing() -> Generator[None, None, None]:
    """What is wrong with a name or a file ends the program."""
    try:
        yield
    except store.NoModel as error:
        fail(str(error), USAGE)
    except store.NotKept as error:
        fail(str(error))
    except KeyboardInterrupt as signal:
        kept = "stopped; what has arrived is kept, and the same command goes on from there"
        stopped(kept, signal)


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


@contextmanager
def _bar(file: ModelFile) -> Generator[store.Progress, None, None]:
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
