"""`nodegraph models`, and its commands `get`, `add` and `push`."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from nodegraph.base.paths import is_file, read_text, why
from nodegraph.cli.console import USAGE, add_row, errors, fail, print_json, results
from nodegraph.cli.fetching import MIB, agree, catalogue, explained, fetch, in_words
from nodegraph.models import publishing, store
from nodegraph.models.catalogue import Listing

app = typer.Typer(help="The catalogue of models; fetch one, add a file, or push a bundle.")


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
    rows = catalogue()
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    columns = ("model", "parts", "licence", "year", "size", "here", "")
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        here = "all" if set(row.here) == set(row.parts) else ", ".join(row.here) or "no"
        size = in_words(row.size, row.files)
        terms = ", terms" if row.terms else ""
        about = (row.licence + terms, str(row.year or ""), size, here, row.card)
        add_row(table, row.name, ", ".join(row.parts), *about)
    results.print(table)


@app.command("get")
def get(
    name: Annotated[
        str,
        typer.Argument(
            help="A model (openai/glide/base), a whole bundle, or where one was pushed: an address, a folder."
        ),
    ],
    named: Annotated[
        str, typer.Option("--as", help="The name of a pushed bundle in place of its own.")
    ] = "",
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="Accept terms of use without being asked.")
    ] = False,
) -> None:
    """Fetch a model of the catalogue into the folder of models; a broken transfer goes on where it stopped.

    A bundle that was pushed is put into your own catalogue: https://…, hf://OWNER/REPOSITORY, or a folder.
    """
    rows = catalogue()
    if publishing.is_offer(name, rows):
        _take(name, rows, named, accept_licence)
        return
    if named:
        fail("--as names a bundle that was pushed; one of the catalogue has its name", USAGE)
    _get(name, rows, accept_licence, {})


def _take(place: str, rows: list[Listing], named: str, accept_licence: bool) -> None:
    """Fetch the bundle that is offered at a place, once its terms are accepted."""
    with explained():
        found = publishing.offer(place, rows, named)
    of = found.listing
    errors.print(f"{of.name}, {', '.join(of.parts)}: {of.card}")
    agree(of, accept_licence, "--accept-licence")
    with explained():
        publishing.remember(found)
    _get(of.name, catalogue(), accept_licence, found.here)
    errors.print(f"graphs name it {of.name}, and its models {of.name}/{of.parts[0]}")


def _get(name: str, rows: list[Listing], accept_licence: bool, here: Mapping[str, Path]) -> None:
    """Fetch what is absent of a model or bundle; `here`: files on this machine, by their addresses."""
    with explained():
        listing, files = store.find(name, rows)
    absent = [file for file in files if file.kept is None]
    for file in files:
        if file.kept is not None:
            errors.print(f"{file.model}: {file.kept} is here")
    if absent:
        card = f"; model card: {listing.card_url}" if listing.card_url else ""
        errors.print(f"licence {listing.licence}{card}")
        agree(listing, accept_licence, "--accept-licence")
    for file in absent:
        fetch(listing, file, here.get(file.url))


@app.command("add")
def add(
    path: Annotated[
        Path, typer.Argument(metavar="FILE", help="A file that you have: .pt or .safetensors.")
    ],
    name: Annotated[str, typer.Option("--as", help="The model that it is: openai/glide/base.")],
    link: Annotated[bool, typer.Option("--link", help="Link to the file, do not copy it.")] = False,
) -> None:
    """Take a file as the weights of a model of the catalogue, if all its keys and shapes are that model's."""
    with explained():
        added = store.add(path, name, catalogue(), link)
    note = ""
    if added.published is False:
        note = (
            "; another file than the published one (its sha256 differs), though keys and shapes fit"
        )
    errors.print(f"{name}: {added.place}{note}")


@app.command("push")
def push(
    bundle: Annotated[
        str,
        typer.Argument(metavar="BUNDLE", help="A bundle of the catalogue, or a folder of models."),
    ],
    folder: Annotated[Path, typer.Option("--to", help="The folder to write; it is not there yet.")],
    name: Annotated[
        str, typer.Option("--as", help="The name under which others get it; else the folder's.")
    ] = "",
    licence: Annotated[
        str,
        typer.Option("--licence", help="Such as Apache-2.0; a bundle of the catalogue has one."),
    ] = "",
    card: Annotated[
        str, typer.Option("--card", help="What the models are, for people: a text, or its file.")
    ] = "",
    rest: Annotated[
        str, typer.Option("--with", help="A bundle that lends the parts that are missing.")
    ] = "",
) -> None:
    """Make a folder of a bundle that diffusers (unCLIP), glide-text2im (GLIDE) and `models get` can read.

    What their layouts cannot say is written in the program's own. With it: a model card, the licence, a digest of each file.
    """
    how = publishing.Publication(folder, name, licence, _card(card), rest)
    with explained():
        done = publishing.push(bundle, how, catalogue())
    for part in done.parts:
        reason = f"; {part.why}" if part.why else ""
        errors.print(f"{part.name}: {part.layout} layout, {part.size / MIB:,.1f} MiB{reason}")
    for line in done.others:
        errors.print(line)
    errors.print(f"{done.folder}: {done.name}; `nodegraph models get {done.folder}` takes it")


def _card(given: str) -> str:
    """The text of a card, which may be a file's. A file that is not there, or is no text, ends the program."""
    if not is_file(Path(given)):
        if given.endswith((".md", ".txt")):
            fail(f"there is no file '{given}' for the card", USAGE)
        return given
    try:
        return read_text(Path(given))
    except (OSError, UnicodeDecodeError) as error:
        fail(f"'{given}' cannot be read as a card: {why(error)}", USAGE)
