"""`nodegraph export`."""

from pathlib import Path
from typing import Annotated

import typer

from nodegraph.base.partial import write_text
from nodegraph.cli.arguments import input_values
from nodegraph.cli.console import FAILED, USAGE, Nodes, errors, fail, results
from nodegraph.cli.opening import open_graph, refusing
from nodegraph.script import python_script
from nodegraph.session import Job


def export(
    context: typer.Context,
    graph: Annotated[str, typer.Argument(help="A graph file, or the name of a shipped graph.")],
    python: Annotated[bool, typer.Option("--python", help="As a script of node calls.")] = False,
    preset: Annotated[str | None, typer.Option(help="A named set of input values.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="The file; standard output without it.", show_default=False)
    ] = None,
    nodes: Nodes = None,
) -> None:
    """Write a graph as a Python script that needs no engine. Its inputs are options, as of `run`."""
    if not python:
        fail("say what it is exported as: --python", USAGE)
    with refusing():
        session, opened = open_graph(graph, nodes)
        read = session.read(opened)
        compiled = session.compiled(opened, Job({}, input_values(context, read), preset))
        text = python_script(compiled.checked(), read, session.registry)
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        write_text(out, text)
    except OSError as error:
        errors.print(f"{out} cannot be written: {error.strerror}", style="red")
        raise typer.Exit(FAILED) from None
    results.print(str(out))
