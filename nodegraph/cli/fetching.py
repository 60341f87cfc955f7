"""Fetching models, as the command line does it: what is asked, the terms that are shown, and a bar for each file."""

import sys
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from nodegraph.base.visible import visible_line
from nodegraph.cli.console import FAILED, USAGE, errors, fail, stopped, warn
from nodegraph.models import store
from nodegraph.models.catalogue import Listing, ModelFile, accept, accepted, listings

MIB = 2**20


def catalogue() -> list[Listing]:
    """The bundles of every catalogue; one that cannot be read is told, and ends the program if it is the only one."""
    rows, broken = listings()
    for found in broken:
        warn(str(found))
    if broken and not rows:
        raise typer.Exit(FAILED)
    return rows


@contextmanager
def explained() -> Generator[None, None, None]:
    """What is wrong with a name or a file of a model ends the program."""
    try:
        yield
    except store.NoModel as error:
        fail(str(error), USAGE)
    except store.NotKept as error:
        fail(str(error))
    except KeyboardInterrupt as signal:
        kept = "stopped; what has arrived is kept, and the same command goes on from there"
        stopped(kept, signal)


def agree(listing: Listing, given: bool, mend: str) -> None:
    """Show the terms of a bundle and ask once; without an answer the program ends, and says the `mend`."""
    if accepted(listing):
        return
    errors.print(f"{listing.name} is under {listing.licence}:\n{listing.terms}")
    if not given and not sys.stdin.isatty():
        fail(f"read the terms, and if you accept them, run again with {mend}")
    if not given and not typer.confirm("Do you accept them?", err=True):
        fail("not accepted; nothing was fetched")
    accept(listing)


def fetch(listing: Listing, file: ModelFile, here: Path | None = None) -> None:
    """Fetch a file into its place, from `here` if it lies on this machine, and say what was checked of it.

    One that cannot be had ends the program.
    """
    with explained(), _bar(file) as progress:
        store.get(listing, file, progress, here)
    known = "its digest and" if file.sha256 else "no digest is published;"
    errors.print(f"{file.model}: {file.place} ({known} its contents were checked)")


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


def in_words(size: int, files: Iterable[ModelFile]) -> str:
    """The size of what has these files, and whether it is an estimate."""
    about = "" if all(file.size_known for file in files) else "about "
    return f"{about}{size / MIB:,.0f} MiB"


def fetch_missing(names: Iterable[str], yes: bool) -> None:
    """Of these models, fetch those that a catalogue has and that are not here, after showing them and asking once.

    `yes` answers, also to terms of use. Where nobody can be asked the program ends.
    """
    rows = catalogue()
    wanted: dict[ModelFile, Listing] = {}
    for name in names:
        with suppress(store.NoModel):  # a folder, or a CLIP that open_clip fetches
            listing, files = store.find(name, rows)
            wanted |= {file: listing for file in files if file.kept is None}
    if not wanted:
        return
    _show(wanted)
    bundles = {listing.name: listing for listing in wanted.values()}.values()
    terms = [listing for listing in bundles if not accepted(listing)]
    if not yes and not sys.stdin.isatty():
        fail("nothing was fetched, as nobody can be asked here; --yes answers")
    question = "Do you accept these terms, and fetch them?" if terms else "Fetch them?"
    if not yes and not typer.confirm(question, err=True):
        fail("nothing was fetched")
    for listing in terms:
        accept(listing)
    for file, listing in wanted.items():
        fetch(listing, file)


def _show(wanted: Mapping[ModelFile, Listing]) -> None:
    """What would be fetched: names, sizes, licences, from where and to which place."""
    for listing in {listing.name: listing for listing in wanted.values()}.values():
        year = f" ({listing.year})" if listing.year else ""
        card = f"; model card: {listing.card_url}" if listing.card_url else ""
        errors.print(f"{listing.name}{year}, licence {listing.licence}{card}\n  {listing.card}")
        if not accepted(listing):
            errors.print(f"  {listing.terms}")
    for file in wanted:
        errors.print(f"{file.model}, {in_words(file.size, [file])}")
        errors.print(f"  from {file.url}\n  to   {file.place}")
    errors.print(f"to fetch: {in_words(sum(file.size for file in wanted), wanted)}")
