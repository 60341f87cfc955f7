"""`nodegraph models`, `nodegraph models get` and `nodegraph models add`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from nodegraph.cli.console import add_row, errors, print_json, results
from nodegraph.cli.fetching import agree, catalogue, explained, fetch, in_words
from nodegraph.models import store

app = typer.Typer(help="The catalogue of models; fetch one, or add a file.")


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
    name: Annotated[str, typer.Argument(help="A model (openai/glide/base), or a whole bundle.")],
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="Accept terms of use without being asked.")
    ] = False,
) -> None:
    """Fetch a model of the catalogue into the folder of models; a broken transfer goes on where it stopped."""
    with explained():
        listing, files = store.find(name, catalogue())
    absent = [file for file in files if file.kept is None]
    for file in files:
        if file.kept is not None:
            errors.print(f"{file.model}: {file.kept} is here")
    if absent:
        card = f"; model card: {listing.card_url}" if listing.card_url else ""
        errors.print(f"licence {listing.licence}{card}")
        agree(listing, accept_licence, "--accept-licence")
    for file in absent:
        fetch(listing, file)


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
